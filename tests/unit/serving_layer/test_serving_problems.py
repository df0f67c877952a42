"""Every refusal and failure is RFC 9457, and tells what to do about it."""

import logging
import re
from collections.abc import Iterator
from functools import cache
from urllib.parse import quote, unquote

import httpx
import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from common.errors import StoreUnavailable
from common.log.texts import CUSTOMER_ID_RULE
from serving_layer.read.store import ViewStore
from tests.support.serving_fakes import Api, MemoryViewStore, delta, order


@cache
def api() -> Api:
    """Over a store without a row."""
    return Api.over(MemoryViewStore())


def problem(response: httpx.Response, status: int) -> dict[str, object]:
    """The problem that `response` is, with the members every problem has."""
    body: dict[str, object] = response.json()
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert set(body) >= {"type", "title", "status", "detail", "instance"}
    assert body["status"] == status
    assert "Traceback" not in response.text
    return body


@pytest.mark.parametrize(
    "customer",
    ["ada", "a b", "Zoë-客户", "Zoe\u0308", "100%", "a:b", "...", ".a", "a?b#c", "metrics", "x" * 128, "'", 'a"b\\'],
)
def test_any_id_that_a_record_may_carry_can_be_asked_for(customer: str) -> None:
    store = MemoryViewStore()
    store.put_delta(customer, 0, delta(order()))
    escaped = quote(customer, safe="").replace(".", "%2E")
    response = Api.over(store).metrics(escaped)
    assert (response.status_code, response.json()["customer_id"]) == (200, customer)


@pytest.mark.parametrize(
    "customer",
    ["", "x" * 129, "a\x00b", "a\n", "\x85", "a/b", "/", ".", "..", "ada ", " ", "\u3000ada", "a\u200bda", "❤\ufe0f"],
)
def test_an_id_that_no_record_can_carry_is_refused_with_its_rule(customer: str) -> None:
    found = problem(api().metrics(quote(customer, safe="").replace(".", "%2E")), 422)
    assert (found["field"], found["value"]) == ("customer_id", customer)
    assert found["rule"] == CUSTOMER_ID_RULE


@pytest.mark.parametrize("spelled", ["%FF", "ada%ff", "%C3", "a/b%FE", "metrics%ED%A0%80", "x" * 500 + "%80"])
def test_bytes_that_are_not_utf_8_name_no_customer(spelled: str) -> None:
    """A replaced byte would name another one. The value is the customer's part of the path, as it was sent."""
    found = problem(api().metrics(spelled), 422)
    assert (found["field"], found["rule"]) == ("customer_id", "percent-encoded UTF-8")
    assert str(found["value"]).startswith(spelled[:200])
    assert "/v1/" not in str(found["value"])


@pytest.mark.parametrize("url", ["/v1/customers/metrics:batch-get", "/v1/batches/rollback"])
@pytest.mark.parametrize("content", [b"i\x1d\xff", b'{"customer_ids":["\xff"]}', b"[" * 100_000, b"{", b"1" * 5000])
def test_a_body_that_nothing_can_read_is_refused_with_its_rule(url: str, content: bytes) -> None:
    """Broken UTF-8, too deep, too short, a number too long."""
    found = problem(api().request("POST", url, content=content), 422)
    assert found["field"] == "body"
    assert str(found["rule"]).startswith("a JSON object")


def routes() -> list[APIRoute]:
    """Every route of the application; FastAPI keeps those of an included router in that router."""
    found = list(api().app.routes)
    for route in found:
        found += route.original_router.routes if hasattr(route, "original_router") else []
    return [route for route in found if isinstance(route, APIRoute)]


def parameters(of: Dependant) -> Iterator[str]:
    """The query parameters of a route and of what it depends on."""
    yield from (parameter.alias for parameter in of.query_params)
    for each in of.dependencies:
        yield from parameters(each)


ASKED = [
    (method, re.sub(r"{.*?}", "ada", route.path), [*parameters(route.dependant)])
    for route in routes()
    for method in route.methods or ()
    if route.include_in_schema  # pages for people read their own query
]


def test_the_routes_that_are_asked_are_those_of_the_openapi_document() -> None:
    described = api().get("/openapi.json").json()["paths"]
    assert {re.sub(r"{.*?}", "ada", path) for path in described} == {path for _, path, _ in ASKED}


@pytest.mark.parametrize(("method", "path", "known"), ASKED)
@pytest.mark.parametrize("name", ["asof", "As_Of", "customer_ids", "as_of%20", ""])
def test_an_unknown_query_parameter_is_refused_by_every_route(
    method: str, path: str, known: list[str], name: str
) -> None:
    found = problem(api().request(method, f"{path}?{name}=2024-06-30"), 422)
    takes = f"takes {', '.join(known)}" if known else "takes none"
    assert (found["field"], found["value"]) == (unquote(name), "2024-06-30")
    assert found["rule"] == f"no query parameter of this route, which {takes}"


@pytest.mark.parametrize(("method", "path", "known"), [asked for asked in ASKED if asked[2]])
def test_a_query_parameter_that_is_given_twice_is_refused(method: str, path: str, known: list[str]) -> None:
    for name in known:
        found = problem(api().request(method, f"{path}?{name}=2024-06-30&{name}=2024-06-30"), 422)
        assert (found["field"], found["rule"]) == (name, "a query parameter is given once")


def test_a_parameter_that_no_route_has_is_echoed_short_and_one_without_a_value_counts() -> None:
    assert problem(api().get("/healthz?verbose"), 422)["field"] == "verbose"
    assert len(api().get(f"/healthz?{'x' * 10_000}=1").content) < 3000


def test_the_page_for_people_takes_the_query_that_its_links_have() -> None:
    assert api().get("/?customer=ada&as_of=2024-06-30").status_code == 200


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "20240630", "2024-W01-1", "2024-02-30", "2024-6-1", "2024-06-30T00:00:00Z"]
)
def test_an_as_of_that_is_no_date_is_refused(text: str) -> None:
    found = problem(api().metrics(as_of=text), 422)
    assert (found["field"], found["value"], found["rule"]) == ("as_of", text, "a day as YYYY-MM-DD")
    assert problem(api().batch_get("ada", as_of=text), 422)["field"] == "as_of"


def test_an_as_of_after_the_servers_utc_day_is_refused_and_that_day_is_the_default() -> None:
    found = problem(api().metrics(as_of="2024-07-01"), 422)
    assert found["rule"] == "not later than the server's day (UTC), 2024-06-30"
    store = MemoryViewStore()
    store.put_delta("ada", 0, delta(order()))
    assert Api.over(store).get("/v1/customers/ada/metrics").json()["as_of"] == "2024-06-30"


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"{", "body"),
        (b"[1]", "body"),
        (b'{"customer_ids": "ada"}', "customer_ids"),
        (b'{"customer_ids": ["ada", 3]}', "customer_ids.1"),
        (b'{"customer_ids": [], "asof": "2024-06-30"}', "asof"),
        (b"{}", "customer_ids"),
        (b"", "body"),
    ],
)
def test_a_malformed_body_is_refused_with_its_field(content: bytes, field: str) -> None:
    response = api().request("POST", "/v1/customers/metrics:batch-get", content=content)
    assert problem(response, 422)["field"] == field
    assert len(response.content) < 2000


def test_a_lone_surrogate_is_a_wrong_id_and_is_echoed_as_an_escape() -> None:
    """JSON can name what UTF-8 cannot carry back."""
    content = b'{"customer_ids": ["\\ud800"]}'
    (result,) = api().request("POST", "/v1/customers/metrics:batch-get", content=content).json()["results"]
    assert (result["customer_id"], result["status"]) == ("\\ud800", "error")


def test_a_route_that_is_not_there_and_a_method_that_is_not_allowed_are_problems() -> None:
    assert problem(api().get("/nope"), 404)["instance"] == "/nope"
    response = api().request("DELETE", "/v1/customers/ada/metrics")
    problem(response, 405)
    assert response.headers["allow"] == "GET"


def test_a_store_that_does_not_answer_is_a_503_and_the_process_is_alive() -> None:
    def away() -> ViewStore:
        raise StoreUnavailable("Cassandra at 127.0.0.1:1 does not answer")

    down = Api(away)
    assert problem(down.metrics(), 503)["detail"] == "Cassandra at 127.0.0.1:1 does not answer"
    assert down.metrics().headers["retry-after"] == "1"
    problem(down.batch_get("ada"), 503)
    assert problem(down.get("/readyz"), 503)["reasons"] == ["Cassandra at 127.0.0.1:1 does not answer"]
    assert down.get("/healthz").json() == {"status": "alive"}
    assert api().get("/readyz").json() == {"status": "ready"}


def test_a_wrong_input_is_refused_even_while_the_store_is_away() -> None:
    def away() -> ViewStore:
        raise StoreUnavailable("away")

    problem(Api(away).metrics("a%2Fb"), 422)


def test_a_defect_is_a_500_that_shows_nothing_of_it(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> ViewStore:
        raise ZeroDivisionError("secret")

    with caplog.at_level(logging.CRITICAL):
        response = Api(broken).metrics()
    problem(response, 500)
    assert "secret" not in response.text
    assert "ZeroDivision" not in response.text


@pytest.mark.parametrize("path", ["/", "/dashboard", "/docs"])
def test_a_page_for_people_needs_no_other_host(path: str) -> None:
    page = api().get(path).text
    assert "lambda360" in page
    assert "//" not in page.replace("http://HOST", "")


def test_openapi_declares_errors_with_the_media_type_they_have() -> None:
    paths = api().get("/openapi.json").json()["paths"]
    responses = paths["/v1/customers/{customer_id}/metrics"]["get"]["responses"]
    assert {status: list(response.get("content", ())) for status, response in responses.items()} == {
        "200": ["application/json"],
        "304": [],
        **{status: ["application/problem+json"] for status in ("401", "404", "422", "429", "503")},
    }
