"""Every refusal and failure is RFC 9457, and tells what to do about it."""

import logging
import re
from dataclasses import fields
from functools import cache
from urllib.parse import quote

import httpx
import pytest

from common.errors import StoreUnavailable
from serving_layer.read.store import ViewStore
from serving_layer.schemas.answers import CustomerMetrics
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
    "customer", ["ada", "a b", "Zoë-客户", "100%", "a:b", ".", "..", "a?b#c", "metrics", "x" * 128, "'"]
)
def test_any_id_that_a_record_may_carry_can_be_asked_for(customer: str) -> None:
    store = MemoryViewStore()
    store.put_delta(customer, 0, delta(order()))
    escaped = quote(customer, safe="").replace(".", "%2E")
    response = Api.over(store).metrics(escaped)
    assert (response.status_code, response.json()["customer_id"]) == (200, customer)


@pytest.mark.parametrize("customer", ["", "x" * 129, "a\x00b", "a\n", "\x85", "a/b", "/"])
def test_an_id_that_no_record_can_carry_is_refused_with_its_rule(customer: str) -> None:
    found = problem(api().metrics(quote(customer, safe="")), 422)
    assert (found["field"], found["value"]) == ("customer_id", customer)
    assert found["rule"] == "1 to 128 characters, no control character, no '/'"


def test_bytes_that_are_not_utf_8_name_no_customer() -> None:
    """A replaced byte would name another one."""
    assert problem(api().metrics("%FF"), 422)["rule"] == "percent-encoded UTF-8"


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


def test_a_body_nested_too_deeply_is_a_problem_too() -> None:
    problem(api().request("POST", "/v1/customers/metrics:batch-get", content=b"[" * 100_000), 400)


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


def test_the_page_for_people_shows_every_part_of_an_answer() -> None:
    page = api().get("/").text
    (shown,) = re.findall(r"const \{ ([\w, ]+) \} = body", page)

    assert {*shown.split(", "), "customer_id", "as_of"} == {field.name for field in fields(CustomerMetrics)}


def test_the_page_for_people_needs_no_other_host() -> None:
    page = api().get("/").text
    assert "lambda360" in page
    assert "//" not in page.replace("http://HOST", "")
    assert api().get("/docs").headers["location"] == "/#routes"


def test_openapi_declares_errors_with_the_media_type_they_have() -> None:
    paths = api().get("/openapi.json").json()["paths"]
    responses = paths["/v1/customers/{customer_id}/metrics"]["get"]["responses"]
    assert {status: list(response["content"]) for status, response in responses.items()} == {
        "200": ["application/json"],
        **{status: ["application/problem+json"] for status in ("404", "422", "503")},
    }
