"""The metrics that an event moved: the stored views below its offset, and with it, by serving's own merge."""

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
from common.algebra.pointer import cut_of
from common.errors import StoreUnavailable
from common.log.copies import RESET, DeltaEvent
from common.log.partition import partition_of
from common.servers.cassandra import connected
from common.settings import Settings
from serving_layer.read.cassandra_store import CassandraStore
from serving_layer.read.cells import UnreadableCell, decoded, view_row
from serving_layer.read.reading import Reading, read
from serving_layer.read.store import Store

PATIENCE_SECONDS: Final = 3.0
AGAIN_SECONDS: Final = 5.0
"""How long Cassandra is left alone after it did not answer: the events go on without metrics."""


@dataclass(frozen=True, slots=True)
class Effect:
    """The metrics that an event moved, as (before, after); or why they cannot be told."""

    metrics: Mapping[str, tuple[MetricValue, MetricValue]] | None
    note: str | None = None


def effect(event: DeltaEvent, reading: Reading, as_of: date) -> Effect:
    """What the event did to its customer's metrics, as far as the views still tell."""
    customer, offset = event.subject, event.data.offset
    partition = partition_of(customer, reading.pin.partitions)
    published = reading.pin.pointer.published
    cut, progress = cut_of(published)[partition], reading.progress.get(partition)
    if event.type == RESET:
        return Effect(None, "the customer is forgotten: everything below this offset counts no more")
    if offset < cut:
        return Effect(None, f"batch {published.batch_id if published else 0} has absorbed it")
    if progress is not None and cut < progress.from_offset:
        return Effect(None, f"deltas from the cut {cut} to {progress.from_offset} are gone")
    try:
        rows, batch = decoded(reading.deltas.get(customer, ())), view_row(reading.rows.get(customer))
    except UnreadableCell as error:
        return Effect(None, str(error))
    if all(at != offset for at, _ in rows):
        return Effect(None, "the stored delta is gone: the customer was erased since, or it has expired")
    below = merge(batch, [(at, delta) for at, delta in rows if at < offset], cut)
    with_it = merge(batch, [(at, delta) for at, delta in rows if at <= offset], cut)
    before, after = (present(each.state, as_of, each.profile) for each in (below, with_it))
    return Effect({name: (before[name], after[name]) for name in after if before[name] != after[name]})


@dataclass(slots=True)
class Views:
    """Reads the views, once for each lot of events. `connect` gives a store, and is tried again after a while."""

    connect: Callable[[ExitStack], Store]
    clock: Callable[[], int]
    """Microseconds (UTC): the day of it is the day that the metrics are of."""
    monotonic: Callable[[], float] = time.monotonic
    _store: Store | None = None
    _silent_until: float = 0.0
    _resources: ExitStack = field(default_factory=ExitStack)
    _runner: asyncio.Runner = field(default_factory=asyncio.Runner)

    def effects(self, events: Sequence[DeltaEvent]) -> list[Effect]:
        """One for each event; without metrics, and saying why, where Cassandra does not answer."""
        if not events:
            return []
        try:
            reading = self._runner.run(read(self._connected(), {event.subject for event in events}))
        except StoreUnavailable as error:
            self._silent_until = max(self._silent_until, self.monotonic() + AGAIN_SECONDS)
            return [Effect(None, f"no metrics: {error}")] * len(events)
        as_of = date_of(self.clock() // MICROS_PER_DAY)
        return [effect(event, reading, as_of) for event in events]

    def _connected(self) -> Store:
        if self.monotonic() < self._silent_until:
            raise StoreUnavailable("Cassandra did not answer a moment ago")
        if self._store is None:
            self._store = self.connect(self._resources)
        return self._store

    def close(self) -> None:
        self._resources.close()
        self._runner.close()


def cassandra(settings: Settings) -> Callable[[ExitStack], Store]:
    """How `Views` connects to Cassandra: with little patience, for somebody is looking."""
    seconds = min(settings.cassandra.request_timeout_seconds, PATIENCE_SECONDS)
    impatient = settings.cassandra.model_copy(update={"request_timeout_seconds": seconds})
    hasty = settings.model_copy(update={"cassandra": impatient})

    def connect(resources: ExitStack) -> Store:
        with ExitStack() as attempt:
            store = CassandraStore(attempt.enter_context(connected(hasty, row_factory=tuple_factory)), hasty)
            resources.push(attempt.pop_all())
            return store

    return connect
