"""Caching, exactness on request, fields, cursors and request ids, over a store in memory (R22)."""

import re
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from common.algebra.marks import MARK_OFFSET, Mark, encode_mark
from common.algebra.pointer import Pointer
from common.errors import StoreUnavailable
from serving_layer import cursors
from serving_layer.answer.facts import End
from serving_layer.problems import InvalidRequest
from serving_layer.read.store import ViewStore
from serving_layer.schemas.provenance import ReasonName
from tests.support.serving_fakes import (
    NOW,
    PARTITIONS,
    MemoryViewStore,
    Shared,
    delta,
    order,
    pointing_at,
    progress,
    published,
)

URL = "/v1/customers/ada/metrics"
CONDITIONAL = (URL, "/v1/customers/ada/explain", "/v1/customers/ada/history")


def store() -> MemoryViewStore:
    made = MemoryViewStore(pointing_at(published(cut=5)))
    made.put_order("ada", 1000)
    made.put_delta("ada", 6, delta(order(500), entity_id="o2"))
    return made


def late(made: MemoryViewStore) -> MemoryViewStore:
    made.progress_rows = dict.fromkeys(range(PARTITIONS), progress(beat_at=NOW - 120_000_000))
    return made


@pytest.mark.parametrize("url", CONDITIONAL)
def test_an_answer_that_still_holds_is_a_304_without_a_body(url: str) -> None:
    api = Shared.over(store())
    first = api.get(url)
    tag = first.headers["etag"]
    assert re.fullmatch(r'W/"[0-9a-f]{24}"', tag)
    assert first.headers["cache-control"] == "private, no-cache"

    for sent in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        again = api.get(url, If_None_Match=sent)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert api.get(url, If_None_Match='W/"other"').status_code == 200


def test_progress_alone_does_not_change_the_tag_and_everything_that_is_answered_does() -> None:
    """A 304 claims what the kept answer claims: completeness below its own, lower offset."""
    made = store()
    api = Shared.over(made)
    tags = [api.get(URL).headers["etag"]]
    made.progress_rows = dict.fromkeys(range(PARTITIONS), progress(110))
    assert api.get(URL).headers["etag"] == tags[0]

    made.put_delta("ada", 7, delta(order(1), entity_id="o3"))
    tags.append(api.get(URL).headers["etag"])
    tags += [api.get(f"{URL}{query}").headers["etag"] for query in ("?as_of=2024-06-29", "?fields=at_risk", "?batch=1")]
    made.put_order("ada", 1000, 2, "b")
    made.pointer = pointing_at(published(2, 5, "b"))
    tags.append(api.get(URL).headers["etag"])
    made.delta_rows["ada"].append((MARK_OFFSET, encode_mark(Mark(accepted_drift=2, classes=("x",)))))
    tags.append(api.get(URL).headers["etag"])
    late(made)
    tags.append(api.get(URL).headers["etag"])
    made.pointer = Pointer(2, 2, (published(2, 5, "b"),), generation=2, last_generation=2)
    tags.append(api.get(URL).headers["etag"])
    made.put_order("ben")
    made.put_order("ben", 1000, 2, "b")
    tags.append(api.get(URL.replace("ada", "ben")).headers["etag"])

    assert len(set(tags)) == len(tags)


def test_two_different_routes_and_ranges_have_different_tags() -> None:
    api = Shared.over(store())
    urls = (*CONDITIONAL, f"{CONDITIONAL[2]}?grain=week", f"{CONDITIONAL[2]}?from=2024-06-01")
    assert len({api.get(url).headers["etag"] for url in urls}) == len(urls)


def test_what_has_no_tag_is_not_stored() -> None:
    assert Shared.over(store()).get("/v1/status").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("url", [*CONDITIONAL, "/v1/customers/ada/facts"])
def test_r22_a_degraded_answer_is_a_503_with_its_reasons_for_who_takes_exact_ones_only(url: str) -> None:
    degraded, exact = Shared.over(late(store())), Shared.over(store())
    assert degraded.get(url).status_code == 200

    for response in (
        degraded.get(f"{url}?require=exact"),
        degraded.get(url, Prefer="exact"),
        degraded.get(url, Prefer="respond-async, Exact; q=1"),
    ):
        problem = response.json()
        assert (response.status_code, problem["type"]) == (503, "urn:lambda360:problem:degraded")
        assert problem["reasons"] == ["the speed layer is silent for 120 s, more than 60 s"]
        assert problem["provenance"]["reason_names"] == ["silent"]
        assert problem["customer_id"] == "ada"
    assert exact.get(f"{url}?require=exact").status_code == 200
    assert degraded.get(url, Prefer="inexact").status_code == 200
    assert degraded.get(f"{url}?require=yes").json()["field"] == "require"


def test_r22_one_degraded_answer_fails_a_batch_get_that_takes_exact_ones_only() -> None:
    made = store()
    made.put_order("ben")
    body = {"customer_ids": ["ben", "ada"], "as_of": "2024-06-30"}
    url = "/v1/customers/metrics:batch-get?require=exact"
    assert Shared.over(made).request("POST", url, json=body).status_code == 200

    made.delta_rows["ada"].append((MARK_OFFSET, encode_mark(Mark(accepted_drift=2, classes=("x",)))))
    problem = Shared.over(made).request("POST", url, json=body).json()
    assert (problem["status"], problem["customer_id"]) == (503, "ada")


def test_fields_cut_the_metrics_down_to_the_named_ones() -> None:
    found = Shared.over(store()).get(f"{URL}?fields=at_risk,total_revenue").json()
    assert found["metrics"] == {"total_revenue": "15.00", "at_risk": False}


@pytest.mark.parametrize("fields", ["", "revenue", "at_risk,", "at_risk, total_revenue"])
def test_a_field_that_is_no_metric_is_refused_with_the_list(fields: str) -> None:
    found = Shared.over(store()).get(f"{URL}?fields={fields}").json()
    assert (found["status"], found["field"]) == (422, "fields")
    assert "total_revenue, order_count" in found["rule"]


@pytest.mark.parametrize("given", ["abc", "a-b_c.d:e/f+g=h@i", "x" * 128])
def test_the_clients_request_id_is_echoed(given: str) -> None:
    assert Shared.over(store()).get(URL, X_Request_Id=given).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, 'a"b', "a b"])
def test_an_id_that_could_not_stand_in_a_log_line_is_replaced(given: str) -> None:
    found = Shared.over(store()).get(URL, X_Request_Id=given).headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", found)


def test_a_request_that_failed_on_our_side_is_logged_with_its_id_and_without_its_customer() -> None:
    def away() -> ViewStore:
        raise StoreUnavailable("Cassandra at 127.0.0.1:1 does not answer")

    with capture_logs() as events:
        response = Shared(away).get(URL, X_Request_Id="r1")
        Shared.over(store()).get(f"{URL}?as_of=no")

    assert (response.status_code, response.headers["x-request-id"]) == (503, "r1")
    assert events == [{"event": "failed", "log_level": "warning", "request": "r1", "method": "GET", "status": 503}]


def test_a_defect_has_its_id_in_the_answer_and_in_the_log() -> None:
    def broken() -> ViewStore:
        raise ZeroDivisionError

    with capture_logs() as events:
        response = Shared(broken).get(URL, X_Request_Id="r2")

    assert (response.status_code, response.headers["x-request-id"]) == (500, "r2")
    assert [(event["request"], event["status"]) for event in events] == [("r2", 500)]


END = End("order", "o№1", 5)


def test_a_cursor_gives_back_what_it_was_made_of() -> None:
    assert cursors.decode(cursors.encode(END), End) == END


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "é", "=", "bm9uZQ", cursors.encode(["order"]), cursors.encode(["order", "o", 2**70]),
        cursors.encode({"kind": "order"}), cursors.encode(END) + "=", cursors.encode(END) + "A", "A" * 5000,
        "WyJvcmRlciIsIlx1ZDgwMCIsMV0", "WyAib3JkZXIiLCAibyIsIDUgXQ",
    ],
)  # fmt: skip
def test_a_broken_cursor_is_refused_by_name(text: str) -> None:
    """A lone surrogate and another spelling of the same JSON among them."""
    with pytest.raises(InvalidRequest) as caught:
        cursors.decode(text, End)
    assert caught.value.field == "cursor"


def test_r22_the_docs_have_a_line_for_every_reason_and_for_no_other() -> None:
    page = (Path(__file__).parents[3] / "docs" / "serving.md").read_text(encoding="utf-8")
    section = page.partition("## Reasons")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == [str(name) for name in ReasonName]
