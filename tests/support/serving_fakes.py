"""A store in memory behind serving's port, and the application on top of it, asked without a server."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import ClassVar, Final

import httpx
from fastapi import FastAPI

from common.algebra.cut import Cut
from common.algebra.dates import micros_of
from common.algebra.facts import Delta, Image, encode
from common.algebra.measures import contribution
from common.algebra.payloads import Order, Payload
from common.algebra.pointer import Plan, Pointer, Published
from common.algebra.state import State
from common.algebra.view_row import ViewRow
from common.log.partition import partition_of
from common.progress import Progress
from common.settings import ServingSettings, Settings
from serving_layer.answer.provenance import Release
from serving_layer.app import create_app
from serving_layer.read.store import DeltaRow, Pin, SlotRow, StoreSource, ViewStore
from tests.support.deltas import changed

NOW: Final = micros_of(datetime(2024, 6, 30, 12, tzinfo=UTC))
PARTITIONS: Final = 4
_JSON: Final = {"content-type": "application/json"}
RELEASE: Final = Release.of(Settings())


def order(cents: int = 1000, day: int = 19_900, status: str = "completed") -> Order:
    return Order(day * 86_400_000_000, cents, status)


def delta(after: Payload | None, before: Payload | None = None, entity_id: str = "o1") -> Delta:
    """A change, or a reset where `after` is null."""
    if after is None:
        return Delta.reset(NOW)
    return changed(entity_id, None if before is None else Image(1, before), Image(2, after), NOW)


def published(batch_id: int = 1, cut: int = 0, slot: str = "a", release: Release = RELEASE) -> Published:
    plan = Plan(7, Cut.of(dict.fromkeys(range(PARTITIONS), cut)), release.logic_version, release.validation_version)
    return Published(batch_id, slot, plan, NOW - 3_600_000_000, 1, "checksum")


def pointing_at(batch: Published) -> Pointer:
    return Pointer(batch.batch_id, batch.batch_id, (batch,))


def progress(
    next_offset: int = 100,
    *,
    from_offset: int = 0,
    end_offset: int | None = None,
    validation_version: str = RELEASE.validation_version,
    beat_at: int | None = NOW,
    caught_up_at: int | None = NOW,
) -> Progress:
    """A speed layer that is well, but for what is said."""
    end = next_offset if end_offset is None else end_offset
    return Progress(0, from_offset, next_offset, end, validation_version, beat_at or 0, caught_up_at or 0)


@dataclass
class MemoryViewStore:
    """Rows by slot, customer and partition; `calls` names the reads in their order, `on_read` may change it first.

    A kept pin's own reads are not among the `calls` of a request.
    """

    pointer: Pointer = field(default_factory=Pointer)
    slots: dict[str, dict[str, SlotRow]] = field(default_factory=dict)
    delta_rows: dict[str, list[DeltaRow]] = field(default_factory=dict)
    progress_rows: dict[int, Progress] = field(default_factory=lambda: dict.fromkeys(range(PARTITIONS), progress()))
    manifests: list[str] = field(default_factory=list)
    """Of batch runs, the newest first."""
    calls: list[str] = field(default_factory=list)
    generations: list[int] = field(default_factory=list)
    """The generations that were asked for, one for each read of progress and of deltas."""
    on_read: Callable[[str], None] = lambda _: None

    def put_state(
        self, customer: str, state: State, batch_id: int = 1, slot: str = "a", *, profile: Image | None = None
    ) -> None:
        self.slots.setdefault(slot, {})[customer] = SlotRow(batch_id, ViewRow(state, profile).to_json())

    def put_order(self, customer: str, cents: int = 1000, batch_id: int = 1, slot: str = "a") -> None:
        self.put_state(customer, contribution(order(cents)), batch_id, slot)

    def put_delta(self, customer: str, offset: int, change: Delta) -> None:
        self.delta_rows.setdefault(customer, []).append((offset, encode(change)))

    async def pin(self) -> Pin:
        self._called("pin")
        return Pin(self.pointer, PARTITIONS)

    async def runs(self, most: int) -> Sequence[str]:
        self._called("runs")
        return self.manifests[:most]

    async def progress(self, generation: int, partitions: Collection[int]) -> Mapping[int, Progress]:
        self._called("progress")
        self.generations.append(generation)
        await asyncio.sleep(0)
        return {partition: self.progress_rows[partition] for partition in partitions if partition in self.progress_rows}

    async def slot_rows(self, slot: str, customers: Collection[str]) -> Mapping[str, SlotRow]:
        self._called("slot_rows")
        rows = self.slots.get(slot, {})
        return {customer: rows[customer] for customer in customers if customer in rows}

    async def deltas(self, generation: int, customers: Collection[str], cut: int) -> Mapping[str, Sequence[DeltaRow]]:
        self._called("deltas")
        self.generations.append(generation)
        assert len({partition_of(customer, PARTITIONS) for customer in customers}) == 1
        found = {each: [row for row in self.delta_rows.get(each, []) if row[0] >= cut] for each in customers}
        return {customer: rows for customer, rows in found.items() if rows}

    def _called(self, name: str) -> None:
        self.on_read(name)
        self.calls.append(name)


FULL: Final = 0.0
"""The greatest age of a kept pin where requests read everything themselves."""
QUICK: Final = 60.0
"""The greatest age of a kept pin where requests are answered by one."""


def _settings(max_age: float = FULL, **serving: object) -> Settings:
    """Settings with which a pin is renewed at the start alone, and a busy machine is no reason to refuse a request."""
    given = {"pin_max_age_seconds": max_age, "pin_interval_seconds": QUICK, "request_seconds": 120.0, **serving}
    return Settings(serving=ServingSettings.model_validate(given))


@dataclass
class Api:
    """The application over a source of stores; each request starts it, asks, and stops it.

    With `max_age` QUICK, requests are answered by a pin that was taken right before.
    """

    max_age: ClassVar[float] = FULL
    source: StoreSource
    settings: Settings = field(default_factory=_settings)

    @classmethod
    def over(cls, store: ViewStore, **serving: object) -> "Api":
        return cls(lambda: store, _settings(Api.max_age, **serving))

    def get(self, url: str) -> httpx.Response:
        return self.request("GET", url)

    def metrics(self, customer: str = "ada", as_of: str = "2024-06-30") -> httpx.Response:
        return self.get(f"/v1/customers/{customer}/metrics?as_of={as_of}")

    def batch_get(self, *customers: object, **body: object) -> httpx.Response:
        asked = {"customer_ids": list(customers), "as_of": "2024-06-30", **body}
        return self.request("POST", "/v1/customers/metrics:batch-get", json=asked)

    def request(self, method: str, url: str, *, json: object = None, content: bytes | None = None) -> httpx.Response:
        return asyncio.run(self._request(method, url, json, content))

    @cached_property
    def app(self) -> FastAPI:
        @asynccontextmanager
        async def connect(_: Settings) -> AsyncIterator[StoreSource]:
            yield self.source

        return create_app(self.settings, lambda: NOW, connect)

    @asynccontextmanager
    async def _started(self) -> AsyncIterator[None]:
        """The application runs, and has its pin, whose reads are not among a store's calls."""
        async with self.app.router.lifespan_context(self.app):
            if self.settings.serving.pin_max_age_seconds:
                store = self.source()
                if isinstance(store, MemoryViewStore):
                    before = len(store.calls), len(store.generations)
                for _ in range(20):  # a store in memory lets nobody wait for long
                    await asyncio.sleep(0)
                if isinstance(store, MemoryViewStore):
                    del store.calls[before[0] :], store.generations[before[1] :]
            yield

    async def _request(self, method: str, url: str, json: object, content: bytes | None) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with (
            self._started(),
            httpx.AsyncClient(transport=transport, base_url="http://test") as client,
        ):
            return await client.request(method, url, json=json, content=content, headers=_JSON if content else None)
