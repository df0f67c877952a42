"""A store in memory behind serving's port, and the application on top of it, asked without a server."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache, cached_property
from typing import ClassVar, Final, Self

import httpx
from fastapi import FastAPI

from common.algebra import pointer as pointers
from common.algebra.alerts import Alert, encode_alert, rule_of
from common.algebra.cut import Cut
from common.algebra.dates import micros_of
from common.algebra.facts import Delta, Fact, Image, Origin, encode
from common.algebra.measures import contribution
from common.algebra.payloads import Order, Payload, kind_of
from common.algebra.pointer import Plan, Pointer, Published
from common.algebra.rankings import Entry, RankedSlot, RankingKey, Scope
from common.algebra.state import State
from common.algebra.view_row import ViewRow
from common.log.copy_events import AlertEvent
from common.log.partition import partition_of
from common.log.position import Position
from common.progress import Progress
from common.servers.rollback import Rollback
from common.settings import ServingSettings, Settings
from common.speed_cql import MARKER
from serving_layer.answer.provenance import Release
from serving_layer.app import create_app
from serving_layer.read.details import AlertRow, FactRow, RankingRow, WishedRollback
from serving_layer.read.store import DeltaRow, Pin, SlotRow, StoreSource, ViewStore
from serving_layer.read.topics import AlertsPage
from serving_layer.routes.batches import Admin, nobody
from tests.support.deltas import changed

NOW: Final = micros_of(datetime(2024, 6, 30, 12, tzinfo=UTC))
PARTITIONS: Final = 4
Headers = Mapping[str, str] | Sequence[tuple[str, str]]
"""By name, or as pairs where one is sent twice."""
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

    fact_rows: dict[str, dict[tuple[str, str], str]] = field(default_factory=dict)
    alert_rows: dict[str, list[AlertRow]] = field(default_factory=dict)
    ranked: dict[str, RankedSlot] = field(default_factory=dict)
    rankings: dict[tuple[str, RankingKey], list[RankingRow]] = field(default_factory=dict)
    rollbacks: list[WishedRollback] = field(default_factory=list)

    @property
    def details(self) -> "MemoryViewStore":
        return self

    def put_fact(self, customer: str, entity_id: str, fact: Fact) -> None:
        kind = kind_of(fact.after.payload)
        self.fact_rows.setdefault(customer, {})[kind, entity_id] = encode(fact)

    def put_reset(self, customer: str, offset: int) -> None:
        """The marker of an erasure, and its delta: what it deletes is left to the test."""
        self.fact_rows.setdefault(customer, {})[MARKER] = str(offset)
        self.put_delta(customer, offset, Delta.reset(NOW))

    def put_alert(self, customer: str, offset: int, alert: Alert) -> None:
        self.alert_rows.setdefault(customer, []).append(AlertRow(offset, rule_of(alert), encode_alert(alert)))

    def rank(self, metric: str, values: Mapping[str, int | str], *, scope: Scope = Scope.ALL, member: str = "") -> None:
        """A ranking of the current batch, which must be there; its slot is then complete, of at most 3 customers."""
        batch = self.pointer.published
        assert batch is not None
        self.ranked[batch.slot] = RankedSlot(batch.batch_id, date(2024, 6, 30), 3)
        self.rankings[batch.slot, RankingKey(metric, scope, member)] = [
            RankingRow(batch.batch_id, Entry(customer, Decimal(value))) for customer, value in values.items()
        ]

    async def reset_offsets(self, generation: int, customers: Collection[str]) -> Mapping[str, int]:
        self._called("reset_offsets")
        markers = {customer: self.fact_rows.get(customer, {}).get(MARKER) for customer in customers}
        return {customer: int(value) for customer, value in markers.items() if value is not None}

    async def facts(
        self, generation: int, customer: str, kind: str | None, after: tuple[str, str], most: int
    ) -> Sequence[FactRow]:
        self._called("facts")
        begin = max(after, MARKER) if kind is None else (kind, after[1])
        rows = sorted(self.fact_rows.get(customer, {}).items())
        return [FactRow(*key, value) for key, value in rows if key > begin and kind in (None, key[0])][:most]

    async def delta_cells(self, generation: int, customer: str, offsets: Sequence[int]) -> Mapping[int, str]:
        self._called("delta_cells")
        return {offset: cell for offset, cell in self.delta_rows.get(customer, []) if offset in offsets}

    async def alerts(self, customer: str, below: tuple[int, str], most: int) -> Sequence[AlertRow]:
        self._called("alerts")
        rows = sorted(self.alert_rows.get(customer, []), reverse=True)
        return [row for row in rows if (row.offset, row.rule) < below][:most]

    async def ranked_slots(self) -> Mapping[str, RankedSlot]:
        self._called("ranked_slots")
        return self.ranked

    async def ranking(self, slot: str, key: RankingKey) -> Sequence[RankingRow]:
        self._called("ranking")
        return self.rankings.get((slot, key), [])

    async def roll_back(self, wished: WishedRollback) -> Rollback:
        """As the real one does, without its journal."""
        now = self.pointer
        to = pointers.previous(now) if wished.batch_id is None else pointers.switch(now, wished.batch_id).published
        assert to is not None
        self.rollbacks.append(wished)
        self.pointer = pointers.switch(now, to.batch_id)
        return Rollback(now.current, to)

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
class MemoryTopics:
    """What Kafka would give: origins by position, and alerts, the newest first."""

    origins_of: dict[Position, Origin] = field(default_factory=dict)
    published: list[AlertEvent] = field(default_factory=list)
    asked: list[object] = field(default_factory=list)
    """The positions of each request for origins, and the days and offsets of each one for alerts."""
    failure: Exception | None = None
    """What every request for alerts raises."""

    async def origins(self, positions: Collection[Position]) -> Mapping[Position, Origin]:
        self.asked.append(list(positions))
        return {position: self.origins_of[position] for position in positions if position in self.origins_of}

    async def alerts(self, day: date | None, below: Mapping[int, int] | None, most: int) -> AlertsPage:
        """A topic of one partition, whose offsets count the published alerts from the oldest one."""
        self.asked.append((day, below))
        if self.failure is not None:
            raise self.failure
        end = len(self.published) if below is None else below[0]
        newest = list(reversed(self.published))[len(self.published) - end :][:most]
        left = end - len(newest)
        return AlertsPage(newest, {0: left} if left else None)


@dataclass
class Api:
    """The application over a source of stores; each request starts it, asks, and stops it.

    With `max_age` QUICK, requests are answered by a pin that was taken right before.
    """

    max_age: ClassVar[float] = FULL
    source: StoreSource
    settings: Settings = field(default_factory=_settings)
    topics: MemoryTopics = field(default_factory=MemoryTopics)
    admin: Admin = nobody

    @classmethod
    def over(cls, store: ViewStore, **serving: object) -> Self:
        return cls(lambda: store, _settings(Api.max_age, **serving))

    def get(self, url: str, **headers: str) -> httpx.Response:
        """Header names are written with underscores."""
        return self.request("GET", url, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def metrics(self, customer: str = "ada", as_of: str = "2024-06-30") -> httpx.Response:
        return self.get(f"/v1/customers/{customer}/metrics?as_of={as_of}")

    def batch_get(self, *customers: object, **body: object) -> httpx.Response:
        asked = {"customer_ids": list(customers), "as_of": "2024-06-30", **body}
        return self.request("POST", "/v1/customers/metrics:batch-get", json=asked)

    def request(
        self,
        method: str,
        url: str,
        *,
        json: object = None,
        content: bytes | None = None,
        headers: Headers = (),
    ) -> httpx.Response:
        return asyncio.run(self._request(method, url, json, content, headers))

    @cached_property
    def app(self) -> FastAPI:
        @asynccontextmanager
        async def connect(_: Settings) -> AsyncIterator[StoreSource]:
            yield self.source

        return create_app(self.settings, lambda: NOW, connect, topics=self.topics, admin=self.admin)

    @asynccontextmanager
    async def _started(self, app: FastAPI) -> AsyncIterator[None]:
        """The application runs, and has its pin, whose reads are not among a store's calls."""
        async with app.router.lifespan_context(app):
            if self.settings.serving.pin_max_age_seconds:
                store = self.source()
                if isinstance(store, MemoryViewStore):
                    before = len(store.calls), len(store.generations)
                for _ in range(20):  # a store in memory lets nobody wait for long
                    await asyncio.sleep(0)
                if isinstance(store, MemoryViewStore):
                    del store.calls[before[0] :], store.generations[before[1] :]
            yield

    async def _request(
        self, method: str, url: str, json: object, content: bytes | None, headers: Headers
    ) -> httpx.Response:
        app = self.app
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            self._started(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            sent = httpx.Headers(headers)
            if content:
                sent.setdefault("content-type", "application/json")
            return await client.request(method, url, json=json, content=content, headers=sent)


class Shared(Api):
    """An `Api` whose application is made once for all of the same settings, since that takes a tenth of a second."""

    @property
    def app(self) -> FastAPI:
        app, bound = _made(self.settings)
        bound.api = self
        return app


class _Bound:
    """What the shared application asks: the parts of the `Api` that asks it now."""

    api: Api

    async def origins(self, positions: Collection[Position]) -> Mapping[Position, Origin]:
        return await self.api.topics.origins(positions)

    async def alerts(self, day: date | None, below: Mapping[int, int] | None, most: int) -> AlertsPage:
        return await self.api.topics.alerts(day, below, most)

    async def admin(self) -> str:
        who: str = await self.api.admin()
        return who


@cache
def _made(settings: Settings) -> tuple[FastAPI, _Bound]:
    bound = _Bound()

    @asynccontextmanager
    async def connect(_: Settings) -> AsyncIterator[StoreSource]:
        yield bound.api.source

    return create_app(settings, lambda: NOW, connect, topics=bound, admin=bound.admin), bound
