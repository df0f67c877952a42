"""No request leaves anything to Python's search for cycles, which the API lets search seldom."""

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI

from tests.support.cycles import no_cycles
from tests.support.serving_fakes import Api
from tests.unit.serving_layer.test_serving_direct import away, degraded, exact, unreadable

TIMES = 40
PATHS = (
    *("/v1/customers/ada/metrics", "/v1/customers/%61da/metrics", "/v1/customers/bob/metrics"),
    *("/v1/customers/ada/metrics?as_of=never", "/v1/customers/ada/metrics?require=exact", "/nowhere"),
)


async def ask(app: FastAPI, target: str) -> int:
    """The status of one request, without a client that might leave cycles of its own."""
    path, _, query = target.partition("?")
    found: list[Any] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path.replace("%61", "a"),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "server": ("::1", 2),
        "state": {},
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            found.append(message["status"])

    await app(scope, receive, send)
    return int(found[0])


@pytest.mark.parametrize("source", [exact, degraded, unreadable, away])
@pytest.mark.parametrize("target", PATHS)
def test_no_request_leaves_anything_to_the_search_for_cycles(source: Any, target: str) -> None:
    api = Api(source)

    async def scene() -> None:
        async with api._started(api.app):
            statuses = {await ask(api.app, target) for _ in range(3)}
            with no_cycles(most=TIMES - 1):
                statuses |= {await ask(api.app, target) for _ in range(TIMES)}
            assert len(statuses) == 1

    asyncio.run(scene())
