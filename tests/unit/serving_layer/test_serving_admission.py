"""Requests are refused at once where there are too many, and in the end where one takes too long; others go on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from common.errors import StoreUnavailable
from common.settings import ServingSettings
from serving_layer.admission import Admission
from serving_layer.problems import install
from serving_layer.read.store import Pin
from tests.support.serving_fakes import Api, MemoryViewStore, delta, order, progress

LIMITS = ServingSettings(requests_in_flight=2, request_seconds=30.0)
Asked = Callable[[str], Awaitable[httpx.Response]]


class Gate:
    """Routes that answer when they are let: at once, never, or with a stream that begins at once."""

    def __init__(self, limits: ServingSettings = LIMITS) -> None:
        self.opened = asyncio.Event()
        self.cancelled = 0
        self.app = FastAPI()
        install(self.app)
        self.app.add_middleware(Admission, settings=limits)
        self.app.get("/v1/slow")(self._slow)
        self.app.get("/v1/stream")(self._stream)
        self.app.get("/healthz")(self._slow)

    async def _slow(self) -> str:
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return "done"

    async def _stream(self) -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"begun,"
            await self.opened.wait()
            yield b"ended"

        return StreamingResponse(parts())

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Asked]:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client.get


async def _turns() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def test_a_request_beyond_the_number_is_refused_at_once_and_room_comes_back() -> None:
    async def story() -> tuple[httpx.Response, list[httpx.Response], httpx.Response]:
        gate = Gate()
        async with gate.client() as get:
            first = [asyncio.ensure_future(get("/v1/slow")) for _ in range(2)]
            await _turns()
            refused = await get("/v1/slow")
            gate.opened.set()
            return refused, await asyncio.gather(*first), await get("/v1/slow")

    refused, first, later = asyncio.run(story())

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.json()["type"] == "urn:lambda360:problem:overloaded"
    assert [each.status_code for each in (*first, later)] == [200] * 3


def test_how_the_process_is_may_be_asked_beyond_the_number() -> None:
    async def story() -> httpx.Response:
        gate = Gate()
        async with gate.client() as get:
            slow = [asyncio.ensure_future(get("/v1/slow")) for _ in range(2)]
            await _turns()
            health = asyncio.ensure_future(get("/healthz"))
            await _turns()
            gate.opened.set()
            await asyncio.gather(*slow)
            return await health

    assert asyncio.run(story()).status_code == 200


def test_a_stream_takes_neither_room_nor_time_once_it_has_begun() -> None:
    async def story() -> tuple[list[httpx.Response], httpx.Response]:
        gate = Gate(ServingSettings(requests_in_flight=1, request_seconds=0.05))
        async with gate.client() as get:
            streams = []
            for _ in range(3):
                streams.append(asyncio.ensure_future(get("/v1/stream")))
                await _turns()
            await asyncio.sleep(0.1)
            gate.opened.set()
            return await asyncio.gather(*streams), await get("/v1/slow")

    streams, slow = asyncio.run(story())

    assert [each.text for each in streams] == ["begun,ended"] * 3
    assert slow.status_code == 200


def test_a_request_whose_time_passes_is_cancelled_and_refused_and_leaves_its_room() -> None:
    async def story() -> tuple[Gate, list[httpx.Response]]:
        gate = Gate(ServingSettings(requests_in_flight=1, request_seconds=0.02))
        async with gate.client() as get:
            return gate, [await get("/v1/slow"), await get("/v1/slow")]

    gate, refused = asyncio.run(story())

    for each in refused:
        assert (each.status_code, each.headers["retry-after"]) == (503, "1")
        assert each.json()["type"] == "urn:lambda360:problem:too-slow"
        assert each.json()["detail"] == "the answer was not ready within 0.02 s"
    assert gate.cancelled == 2


def test_a_store_that_does_not_answer_in_time_is_a_503_of_the_application() -> None:
    class Silent(MemoryViewStore):
        async def pin(self) -> Pin:
            await asyncio.Event().wait()
            return await super().pin()

    response = Api.over(Silent(), request_seconds=0.02).metrics()

    assert (response.status_code, response.json()["type"]) == (503, "urn:lambda360:problem:too-slow")


@pytest.mark.parametrize("partition", [0, 3])
def test_ready_means_that_every_partition_would_be_answered_exactly(partition: int) -> None:
    store = MemoryViewStore()
    assert Api.over(store).get("/readyz").json() == {"status": "ready"}

    store.progress_rows[partition] = progress(validation_version="other")
    response = Api.over(store).get("/readyz")

    assert response.status_code == 503
    (reason,) = response.json()["reasons"]
    assert reason.startswith(f"partition {partition}: validation_version of the speed layer is other")


def test_ready_names_the_partition_of_each_reason() -> None:
    store = MemoryViewStore(progress_rows={0: progress(), 1: progress()})
    store.progress_rows |= {2: progress(beat_at=None), 3: progress(beat_at=None)}

    assert Api.over(store).get("/readyz").json()["reasons"] == [
        "partition 2: the speed layer has never sent a heartbeat",
        "partition 3: the speed layer has never sent a heartbeat",
    ]


def test_while_the_store_is_away_nobody_is_ready_and_the_reason_is_its_own() -> None:
    def away() -> MemoryViewStore:
        raise StoreUnavailable("away")

    assert Api(away).get("/readyz").json()["reasons"] == ["away"]


def test_a_request_below_the_limits_is_answered() -> None:
    store = MemoryViewStore()
    store.put_delta("ada", 3, delta(order(500)))

    assert Api.over(store, requests_in_flight=1).metrics().status_code == 200
