"""`lambda360 serve`: what uvicorn says about a request is an event of ours."""

import asyncio
import logging
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs
from structlog.typing import EventDict

from common.settings import AccessSettings, ServingSettings
from infra.commands.serve import listening, server_of


@pytest.fixture(autouse=True)
def access() -> Iterator[logging.Logger]:
    """uvicorn's logger of requests, as it was before the test."""
    logger = logging.getLogger("uvicorn.access")
    level, filters = logger.level, logger.filters[:]
    yield logger
    logger.setLevel(level)
    logger.filters = filters


async def _asked(settings: ServingSettings, path: str) -> list[EventDict]:
    """What is logged while a server with these settings answers one request."""
    with listening(settings) as listener, capture_logs() as events:
        server = server_of(FastAPI(openapi_url=None), settings, AccessSettings())
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.get(f"http://127.0.0.1:{listener.getsockname()[1]}{path}")
        server.should_exit = True
        await serving
    return events


def settings(*, access_log: bool) -> ServingSettings:
    """A server on a port that nobody uses."""
    return ServingSettings.model_construct(**{**dict(ServingSettings()), "port": 0, "access_log": access_log})


def test_a_request_is_one_event_with_its_fields(caplog: pytest.LogCaptureFixture) -> None:
    (event,) = asyncio.run(_asked(settings(access_log=True), "/none?as_of=2024-01-01"))

    client = event.pop("client")
    assert client.startswith("127.0.0.1:")
    assert event == {
        "event": "request", "method": "GET", "path": "/none?as_of=2024-01-01", "status": 404, "log_level": "info",
    }  # fmt: skip
    assert [record.name for record in caplog.records if record.name == "uvicorn.access"] == []


def test_without_the_setting_no_request_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert asyncio.run(_asked(settings(access_log=False), "/none")) == []
    assert [record.name for record in caplog.records if record.name == "uvicorn.access"] == []
