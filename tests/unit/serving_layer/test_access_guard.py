"""What stands before the routes: host, key, scope, rate, size, and the headers of every answer."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Final

import httpx
import pytest
from fastapi import Depends, FastAPI

from common.settings import AccessSettings, ServingSettings, Settings
from serving_layer.access.headers import MARKS
from serving_layer.access.keys import new_key
from serving_layer.access.scopes import admin
from serving_layer.app import create_app
from serving_layer.read.store import Pin, StoreSource
from tests.support.guarded import known_store
from tests.support.live_fakes import MemoryTopic
from tests.support.serving_fakes import NOW, MemoryViewStore

READ, ADMIN = new_key("read"), new_key("admin")
KEYS: Final = f"{READ.line},{ADMIN.line}"
ADA: Final = "/v1/customers/ada/metrics"


@cache
def app(host: str = "127.0.0.1", store: MemoryViewStore | None = None, **access: object) -> FastAPI:
    """The application, with a route that changes something; the same one for the same arguments."""

    @asynccontextmanager
    async def connect(_: Settings) -> AsyncIterator[StoreSource]:
        yield lambda: store or known_store("ada")

    settings = Settings(
        serving=ServingSettings(host=host), access=AccessSettings.model_validate({"keys": KEYS, **access})
    )
    made = create_app(settings, lambda: NOW, connect, lambda _: MemoryTopic())

    @made.post("/v1/change")
    async def change(who: str = Depends(admin)) -> str:
        return who

    return made


class BrokenStore(MemoryViewStore):
    """Has a defect."""

    __hash__ = object.__hash__

    async def pin(self) -> Pin:
        raise ZeroDivisionError("secret")


def ask(
    made: FastAPI, path: str = ADA, method: str = "GET", headers: Mapping[str, str] | None = None, **more: Any
) -> httpx.Response:
    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(made, raise_app_exceptions=False)
        async with (
            made.router.lifespan_context(made),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            return await client.request(method, path, headers=headers, **more)

    return asyncio.run(asked())


def x_api_key(key: str) -> dict[str, str]:
    return {"X-API-Key": key}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize("sent", [x_api_key, bearer])
def test_beyond_loopback_a_request_needs_a_key(sent: Callable[[str], dict[str, str]]) -> None:
    made = app("0.0.0.0")  # noqa: S104 # that is what is tested

    refused, wrong, right = ask(made), ask(made, headers=sent(new_key("read").key)), ask(made, headers=sent(READ.key))

    assert (refused.status_code, wrong.status_code, right.status_code) == (401, 401, 200)
    assert refused.headers["www-authenticate"] == "Bearer"
    assert refused.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/docs", "/"])
def test_what_holds_no_customers_data_needs_no_key(path: str) -> None:
    assert ask(app("0.0.0.0"), path).status_code == 200  # noqa: S104


@pytest.mark.parametrize(
    "path", ["/metrics", "/v1/deltas", "/healthz/../v1/customers/ada/metrics", "/docsx", "/dashboard-x"]
)
def test_nothing_else_is_open(path: str) -> None:
    assert ask(app("0.0.0.0"), path).status_code == 401  # noqa: S104


def test_on_loopback_reading_needs_no_key_and_a_wrong_one_is_still_wrong() -> None:
    made = app()
    assert ask(made).status_code == 200
    assert ask(made, headers=x_api_key("wrong")).status_code == 401
    assert ask(app(require_key=True)).status_code == 401


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104
def test_a_change_needs_the_scope_admin_on_loopback_too(host: str) -> None:
    made = app(host)

    answers = [ask(made, "/v1/change", "POST", headers) for headers in ({}, bearer(READ.key), bearer(ADMIN.key))]

    assert [each.status_code for each in answers] == [401, 403, 200]
    assert answers[1].json()["detail"] == f"key {READ.line[:8]} has the scope read; this needs the scope admin"
    assert answers[2].json() == f"key {ADMIN.line[:8]}"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("LOCALHOST:8360", 200), ("127.0.0.1:8360", 200), ("[::1]:8360", 200), ("10.0.0.7", 200),
        ("api.example", 200), ("evil.example", 421), ("localhost.evil.example", 421), ("127.0.0.1.evil.example", 421),
        ("", 421), ("localhost, evil.example", 421), ("localhost/", 421), ("user@localhost", 421),
    ],
)  # fmt: skip
def test_another_host_is_refused(host: str, status: int) -> None:
    """A page whose name was made to point here (DNS rebinding) can send no other Host than its own."""
    answer = ask(app(hosts="Api.example, other.example"), headers={"Host": host})
    assert answer.status_code == status


def test_a_key_has_its_rate_and_another_one_its_own() -> None:
    made = app(rate_per_minute=2)

    answers = [ask(made, headers=bearer(READ.key)) for _ in range(3)]

    assert [each.status_code for each in answers] == [200, 200, 429]
    assert [each.headers["ratelimit-policy"] for each in answers] == ['"key";q=2;w=60'] * 3
    assert [each.headers["ratelimit"].partition(";t=")[0] for each in answers] == [
        '"key";r=1', '"key";r=0', '"key";r=0',
    ]  # fmt: skip
    assert int(answers[2].headers["retry-after"]) >= 1
    assert ask(made, headers=bearer(ADMIN.key)).status_code == 200
    assert ask(made).status_code == 200, "on loopback, without a key, there is no rate"


def test_zero_is_no_limit() -> None:
    answer = ask(app(rate_per_minute=0), headers=bearer(READ.key))
    assert "ratelimit" not in answer.headers


def test_a_body_is_read_no_further_than_the_limit() -> None:
    made, read = app(max_body_bytes=1000), []

    async def body() -> AsyncIterator[bytes]:
        for _ in range(100):
            read.append(1)
            yield b"x" * 400

    path = "/v1/customers/metrics:batch-get"
    declared = ask(made, path, "POST", {"Content-Type": "application/json"}, content=b"x" * 1001)
    chunked = ask(made, path, "POST", {"Content-Type": "application/json"}, content=body())
    unread = ask(made, ADA, "GET", {"Content-Length": "100000000"})

    assert [each.status_code for each in (declared, chunked, unread)] == [413, 413, 413]
    assert {each.headers["content-type"] for each in (declared, chunked, unread)} == {"application/problem+json"}
    assert len(read) == 3


@pytest.mark.parametrize("path", [ADA, "/v1/customers/nobody/metrics", "/none", "/", "/docs", "/healthz", "/metrics"])
def test_every_answer_has_the_security_headers(path: str) -> None:
    answer = ask(app(), path)
    for name, value in MARKS:
        assert answer.headers.get_list(name.decode()) == [value.decode()]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]


def test_a_defect_has_them_too_and_tells_nothing() -> None:
    answer = ask(app(store=BrokenStore()))
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "content-security-policy" in answer.headers


def test_a_refusal_has_them_too() -> None:
    answer = ask(app("0.0.0.0"))  # noqa: S104
    assert "content-security-policy" in answer.headers


def test_pages_of_other_origins_read_nothing_unless_listed() -> None:
    listed = {"Origin": "https://shop.example"}
    assert "access-control-allow-origin" not in ask(app(), headers=listed).headers
    made = app("0.0.0.0", origins="https://shop.example")  # noqa: S104
    preflight = ask(made, ADA, "OPTIONS", {**listed, "Access-Control-Request-Method": "GET"})
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, "https://shop.example")
    refused = ask(made, headers=listed)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "https://shop.example")
    assert "access-control-allow-origin" not in ask(made, headers={"Origin": "https://evil.example"}).headers


def test_no_key_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    made = app("0.0.0.0")  # noqa: S104
    wrong = new_key("read").key
    for headers in (x_api_key(READ.key), bearer(READ.key), x_api_key(wrong), bearer(wrong)):
        ask(made, headers=headers)
    assert READ.key not in caplog.text
    assert wrong not in caplog.text


def test_openapi_says_how_a_key_is_sent_and_what_is_refused() -> None:
    described = ask(app(), "/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    assert set(described["components"]["securitySchemes"]) == {"ApiKey", "Bearer"}
    responses = described["paths"]["/v1/customers/{customer_id}/metrics"]["get"]["responses"]
    assert {"401", "429", "422"} <= set(responses)
