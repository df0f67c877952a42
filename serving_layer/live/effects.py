"""Computes the metrics that an event changed: it merges the stored views without the event, then with it (R21)."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from cassandra.query import tuple_factory

from common.algebra.dates import MICROS_PER_DAY, date_of
from common.algebra.merge import merge
from common.algebra.metrics import MetricValue, present
from common.errors import StoreUnavailable
from common.log.copy_events import RESET, DeltaEvent
from common.log.partition import partition_of
from common.servers.cassandra import connected
from common.settings import Settings
from serving_layer.read.cassandra_store import CassandraViewStore
from serving_layer.read.cells import UnreadableCell, decoded, view_row
from serving_layer.read.reading import Reading, read
from serving_layer.read.store import ViewStore

STATEMENT_SECONDS: Final = 3.0
"""The most that a statement waits for an answer, even if the setting allows more: here a person is waiting."""
RETRY_SECONDS: Final = 5.0
"""How long Cassandra is not asked after it did not answer. Meanwhile events are shown without metrics."""


@dataclass(frozen=True, slots=True)
class Effect:
    """The metrics that an event changed, as (before, after). If they cannot be computed, `note` has the reason."""

    metrics: Mapping[str, tuple[MetricValue, MetricValue]] | None
    note: str | None = None


def effect(event: DeltaEvent, reading: Reading, as_of: date) -> Effect:
    """Returns what the event changed in its customer's metrics, or why the stored views no longer show it."""
    customer = event.subject
    partition = partition_of(customer, reading.pin.partitions)
    gone = _gone(event, reading, partition)
    if gone is not None:
        return Effect(None, gone)
    try:
        deltas = decoded(reading.deltas.get(customer, ()))
        batch = view_row(reading.rows.get(customer))
    except UnreadableCell as error:
        return Effect(None, str(error))
    offset = event.data.offset
    if all(at != offset for at, _ in deltas):
        return Effect(None, "the stored delta is gone: the customer was erased since, or it has expired")
    cut = reading.pin.cut[partition]
    without = merge(batch, [(at, delta) for at, delta in deltas if at < offset], cut)
    with_it = merge(batch, [(at, delta) for at, delta in deltas if at <= offset], cut)
    before = present(without.state, as_of, without.profile)
    after = present(with_it.state, as_of, with_it.profile)
    return Effect({name: (before[name], after[name]) for name in after if before[name] != after[name]})


def _gone(event: DeltaEvent, reading: Reading, partition: int) -> str | None:
    """Returns why the views cannot show the event's effect, judged by its offset, the cut and progress; else None."""
    published = reading.pin.published
    cut = reading.pin.cut[partition]
    progress = reading.progress.get(partition)
    if event.type == RESET:
        return "the customer is erased: nothing below this offset counts any more"
    if event.data.offset < cut:
        return f"batch {published.batch_id if published else 0} has absorbed it"
    if progress is not None and cut < progress.from_offset:
        return f"deltas from the cut {cut} to {progress.from_offset} are gone"
    return None


@dataclass(slots=True)
class Views:
    """Computes the effects of events by one read of the stored views for all of them.

    `connect` returns a store. If it raises StoreUnavailable, it is retried after RETRY_SECONDS at the earliest.
    """

    connect: Callable[[ExitStack], ViewStore]
    clock: Callable[[], int]
    """Returns microseconds, UTC. The metrics are as of that day."""
    monotonic: Callable[[], float] = time.monotonic
    _store: ViewStore | None = None
    _retry_at: float = 0.0
    _resources: ExitStack = field(default_factory=ExitStack)
    _runner: asyncio.Runner = field(default_factory=asyncio.Runner)

    def effects(self, events: Sequence[DeltaEvent]) -> list[Effect]:
        """Returns one effect for each event. If Cassandra does not answer, they have that reason and no metrics."""
        if not events:
            return []
        try:
            reading = self._runner.run(read(self._connected(), {event.subject for event in events}))
        except StoreUnavailable as error:
            self._retry_at = max(self._retry_at, self.monotonic() + RETRY_SECONDS)
            return [Effect(None, f"no metrics: {error}")] * len(events)
        as_of = date_of(self.clock() // MICROS_PER_DAY)
        return [effect(event, reading, as_of) for event in events]

    def _connected(self) -> ViewStore:
        if self.monotonic() < self._retry_at:
            raise StoreUnavailable("Cassandra did not answer a moment ago")
        if self._store is None:
            self._store = self.connect(self._resources)
        return self._store

    def close(self) -> None:
        self._resources.close()
        self._runner.close()


def cassandra(settings: Settings) -> Callable[[ExitStack], ViewStore]:
    """Returns the `connect` of `Views` for Cassandra."""
    seconds = min(settings.cassandra.request_timeout_seconds, STATEMENT_SECONDS)
    cassandra = settings.cassandra.model_copy(update={"request_timeout_seconds": seconds})
    impatient = settings.model_copy(update={"cassandra": cassandra})

    def connect(resources: ExitStack) -> ViewStore:
        with ExitStack() as attempt:
            session = attempt.enter_context(connected(impatient, row_factory=tuple_factory))
            store = CassandraViewStore(session, impatient)
            resources.push(attempt.pop_all())
            return store

    return connect
