"""A request past the framework is answered as by its route, to the byte; and only what is plainly spelled goes past it.

The route is asked by an escape in the path: it names the same customer, and is not plain.
"""

from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import StoreUnavailable
from serving_layer.read.store import TooManyDeltas, ViewStore
from serving_layer.routes.one_customer import metrics_of_one
from tests.support.serving_fakes import MemoryViewStore, Shared, delta, order, pointing_at, progress, published


def exact() -> ViewStore:
    store = MemoryViewStore(pointing_at(published(batch_id=3, cut=17)))
    store.put_order("ada", 1000, batch_id=3)
    store.put_delta("ada", 25, delta(order(2000), order(1000)))
    store.put_order("..ada", 10, batch_id=3)
    store.put_order("A-0_9.z~", 10, batch_id=3)
    return store


def degraded() -> ViewStore:
    store = exact()
    assert isinstance(store, MemoryViewStore)
    store.progress_rows = {partition: progress(beat_at=None) for partition in store.progress_rows}
    return store


def unreadable() -> ViewStore:
    store = exact()
    assert isinstance(store, MemoryViewStore)
    store.delta_rows["ada"].append((26, "{"))
    return store


def away() -> ViewStore:
    raise StoreUnavailable("Cassandra at 127.0.0.1:1 does not answer")


def flooded() -> ViewStore:
    raise TooManyDeltas("ada", 50_000)


def broken() -> ViewStore:
    raise RuntimeError("a defect")


def spied() -> Any:
    """Counts the requests that go past the framework."""
    return patch("serving_layer.routes.direct.metrics_of_one", wraps=metrics_of_one)


SOURCES = (exact, degraded, unreadable, away, flooded, broken)
CUSTOMERS = ("ada", "bob", "..ada", "A-0_9.z~", "x" * 128, "x" * 129)
DAY = "as_of=2024-06-30"
PARTS = (
    *(DAY, "as_of=2024-06-01", "as_of=2024-07-01", "as_of=2024-02-30", "as_of=today", "as_of="),
    *("fields=order_count", "fields=at_risk,order_count", "fields=revenue", "fields=order_count,", "fields="),
    *("require=exact", "require=best", "require=", "batch=3", "batch=99", "batch=0", "batch=three"),
    *("day=2024-06-30", "as_of", "fields=at%5frisk", "fields=at+risk", "&", "=exact", "AS_OF=2024-06-30"),
)
TAG = Shared(exact).get(f"/v1/customers/ada/metrics?{DAY}").headers["ETag"]
HEADERS = (
    *(("Prefer", value) for value in ("exact", "respond-async, EXACT;foo=1", "inexact", "")),
    *(("If-None-Match", value) for value in (TAG, f'"a", {TAG}', '"a"', "*", "")),
    *(("Accept", "text/html"), ("Origin", "https://example.org"), ("X-Request-Id", "mine")),
)


def asked(source: Any, path: str, query: str, headers: Sequence[tuple[str, str]]) -> tuple[int, dict[str, str], Any]:
    """Status, headers and body, but for what names the request itself."""
    answer: httpx.Response = Shared(source).request("GET", f"{path}?{query}", headers=headers)
    shown = dict(answer.headers)
    if "x-request-id" not in {name.lower() for name, _ in headers}:
        del shown["x-request-id"]
    if answer.status_code in {200, 304}:
        return answer.status_code, shown, answer.content
    del shown["content-length"]
    return answer.status_code, shown, {**answer.json(), "instance": ""}


def assert_equal(source: Any, customer: str, parts: Sequence[str], headers: Sequence[tuple[str, str]]) -> None:
    escaped, query = f"%{ord(customer[0]):02X}{customer[1:]}", "&".join(parts)
    past = asked(source, f"/v1/customers/{customer}/metrics", query, headers)
    assert past == asked(source, f"/v1/customers/{escaped}/metrics", query, headers)


@pytest.mark.parametrize("source", SOURCES)
def test_r22_a_request_past_the_framework_is_answered_as_by_its_route(source: Any) -> None:
    """Status, headers and body, whatever one parameter or header there is, and whatever the state of the store."""
    for customer in ("ada", "bob"):
        for part in PARTS:
            assert_equal(source, customer, [part], [])
        for header in HEADERS:
            assert_equal(source, customer, [DAY], [header])


@given(
    st.sampled_from(SOURCES),
    st.sampled_from(CUSTOMERS),
    st.lists(st.sampled_from(PARTS), max_size=3),
    st.lists(st.sampled_from(HEADERS), max_size=3),
)
def test_r22_so_it_is_with_any_of_them_together(
    source: Any, customer: str, parts: list[str], headers: list[tuple[str, str]]
) -> None:
    """Repeated ones among them, and any customer."""
    assert_equal(source, customer, parts, headers)


@pytest.mark.parametrize(
    ("url", "headers", "goes_past"),
    [
        ("ada/metrics", {}, True),
        ("ada/metrics?as_of=2024-06-30&fields=order_count&require=exact", {"Prefer": "exact"}, True),
        ("%61da/metrics", {}, False),
        ("ada/metrics?as_of=2024-06-30&as_of=2024-06-30", {}, False),
        ("ada/metrics?batch=3", {}, False),
        ("ada/metrics?day=2024-06-30", {}, False),
        ("ada/metrics?require=best", {}, False),
        ("ada/metrics/", {}, False),
        ("ada/history", {}, False),
        ("a/da/metrics", {}, False),
        ("ada/metrics", {"If-None-Match": "*"}, True),
    ],
)
def test_what_is_plainly_spelled_goes_past_the_framework(url: str, headers: dict[str, str], *, goes_past: bool) -> None:
    with spied() as spy:
        Shared(exact).request("GET", f"/v1/customers/{url}", headers=headers)
    assert bool(spy.await_count) is goes_past


def test_other_methods_and_repeated_headers_go_to_the_route() -> None:
    with spied() as spy:
        assert Shared(exact).request("POST", "/v1/customers/ada/metrics").status_code == 405
        twice = [("Prefer", "exact"), ("Prefer", "exact")]
        Shared(exact).request("GET", "/v1/customers/ada/metrics", headers=twice)
    assert spy.await_count == 0


def test_too_many_deltas_of_one_customer_are_a_problem_of_their_own() -> None:
    answer = Shared(flooded).get("/v1/customers/ada/metrics")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:lambda360:problem:too-many-deltas")
    assert "the next batch absorbs them" in answer.json()["detail"]
