"""Answers for customers: reads both layers, merges, presents, and adds the provenance (R21, R22)."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple

import msgspec

from common.algebra.dates import MICROS_PER_DAY, date_of
from common.algebra.merge import Merged, Parts, merge, parts
from common.algebra.metrics import METRICS, MetricValue, present
from common.algebra.pointer import Published
from common.algebra.profile import present_profile
from common.algebra.state import State
from common.log.partition import partition_of
from common.settings import Settings
from serving_layer.answer.losses import loss_reasons
from serving_layer.answer.provenance import Condition, Release, batch_info, condition
from serving_layer.answer.reasons import Reason, names, texts
from serving_layer.answer.standing import standing
from serving_layer.read.cells import UnreadableCell, decoded, mark_reason, view_row
from serving_layer.read.pins import PinKeeper, seconds_since_boot, take
from serving_layer.read.quick import quick_read
from serving_layer.read.reading import Reading, read
from serving_layer.read.store import StoreSource
from serving_layer.schemas.batches import Standing
from serving_layer.schemas.provenance import BatchInfo, LogInfo, Provenance, ReasonName, SpeedInfo

_YIELD_EVERY: Final = 50
"""After so many customers a request yields to the event loop, so that a large one does not hold up small ones."""
_METRIC_NAMES: Final = tuple(metric.name for metric in METRICS)
_UNREADABLE: Final = Merged(State({}), image=None, known=True, deltas=0, next_offset=0)


class Basis(NamedTuple):
    """What an answer was merged from: equal ones give equal metrics. Zero stands for no batch, and for no delta."""

    batch_id: int
    generation: int
    next_offset: int
    """The offset after the last delta."""


class Answer(msgspec.Struct, frozen=True):
    """One customer's answer. An unknown customer's has a provenance, too."""

    customer_id: str
    known: bool
    metrics: dict[str, MetricValue]
    profile: dict[str, str | None] | None
    provenance: Provenance
    basis: Basis


class Answers:
    """Answers requests from the stored views. Between two requests it keeps no values but what `pins` holds."""

    def __init__(
        self, source: StoreSource, settings: Settings, clock: Callable[[], int], pins: PinKeeper | None = None
    ) -> None:
        """`clock` returns microseconds, UTC. Without `pins` each request pins for itself."""
        self._source = source
        self._clock = clock
        self._pins = pins
        self._limits = settings.serving
        self._release = Release.of(settings)
        self._shown: tuple[Published | None, BatchInfo | None] = None, None
        """The last batch that was answered from, and what answers show of it."""

    def today(self) -> date:
        """The clock's UTC day."""
        return date_of(self._clock() // MICROS_PER_DAY)

    async def of(self, customers: Sequence[str], as_of: date) -> list[Answer]:
        """Returns the customers' answers in the order asked, repeats included, all from one pinned pointer.

        Raises StoreUnavailable if the store does not answer, or if its slots are reused faster than they are read.
        """
        asked = dict.fromkeys(customers)
        reading = await self.read(asked)
        conditions = self._conditions(reading, asked)
        batch = self._batch(reading.pin.published)
        answers: dict[str, Answer] = {}
        for count, customer in enumerate(asked, 1):
            answers[customer] = answer_of(customer, as_of, reading, conditions=conditions, batch=batch)
            if count % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
        return [answers[customer] for customer in customers]

    async def with_parts(self, customer: str, as_of: date) -> tuple[Answer, Parts | None]:
        """Returns what `of` returns for one customer, and what was merged; None where a cell cannot be read."""
        reading = await self.read((customer,))
        conditions = self._conditions(reading, (customer,))
        batch = self._batch(reading.pin.published)
        answer = answer_of(customer, as_of, reading, conditions=conditions, batch=batch)
        return answer, parts_of(customer, reading)

    async def standing(self) -> Standing:
        """Returns how far each layer is behind, in all partitions. Raises StoreUnavailable."""
        store = self._source()
        kept = await take(store, seconds_since_boot, await store.pin())
        return standing(kept.pin, kept.progress, release=self._release, limits=self._limits, now=self._clock())

    async def read(self, customers: Collection[str]) -> Reading:
        """Returns both layers' rows, by the kept pin where it is young and vouches for them, else by one of their own.

        Raises StoreUnavailable as `of` does.
        """
        store = self._source()
        kept = None if self._pins is None else self._pins.young()
        quick = None if kept is None else await quick_read(store, kept, customers)
        return await read(store, customers) if quick is None else quick

    async def reasons(self) -> list[str]:
        """Returns why answers would be degraded now, or nothing if each one would be exact.

        Accepted drift of single customers is not among them. Raises StoreUnavailable if the store does not answer.
        """
        now = await self.standing()
        named = zip(now.reasons, now.reason_names, strict=True)
        return [text for text, name in named if name is not ReasonName.ACCEPTED_DRIFT]

    def _batch(self, published: Published | None) -> BatchInfo | None:
        if published is not self._shown[0]:
            self._shown = published, batch_info(published)
        return self._shown[1]

    def _conditions(self, reading: Reading, customers: Iterable[str]) -> dict[int, Condition]:
        published = reading.pin.published
        now = self._clock()
        partitions = {partition_of(customer, reading.pin.partitions) for customer in customers}
        return {
            partition: condition(
                partition,
                published,
                reading.progress.get(partition),
                release=self._release,
                limits=self._limits,
                now=now,
            )
            for partition in partitions
        }


def answer_of(
    customer: str, as_of: date, reading: Reading, *, conditions: Mapping[int, Condition], batch: BatchInfo | None
) -> Answer:
    """Returns the customer's answer from what was read; `conditions` are those of the partitions."""
    published = reading.pin.published
    partition = partition_of(customer, reading.pin.partitions)
    layers = conditions[partition]
    reasons = list(layers.reasons)
    if customer in reading.marks:
        reasons.append(Reason(ReasonName.ACCEPTED_DRIFT, mark_reason(reading.marks[customer])))
    cut = reading.pin.cut[partition]
    rows = reading.deltas.get(customer, ())
    reasons += loss_reasons(reading.pin.pointer.losses, partition, rows)
    metrics: dict[str, MetricValue]
    try:
        deltas = decoded([row for row in rows if row[0] >= cut])
        merged = merge(view_row(reading.rows.get(customer)), deltas, cut)
        metrics = present(merged.state, as_of, merged.profile)
    except UnreadableCell as error:
        reasons.append(Reason(ReasonName.UNREADABLE_CELL, str(error)))
        merged = _UNREADABLE
        metrics = dict.fromkeys(_METRIC_NAMES)
    provenance = Provenance(
        status="degraded" if reasons else "exact",
        reasons=texts(reasons),
        reason_names=names(reasons),
        batch=batch,
        speed=SpeedInfo(merged.deltas, layers.behind_records, layers.behind_seconds),
        log=LogInfo(partition, max(layers.complete_below, merged.next_offset)),
    )
    return Answer(
        customer_id=customer,
        known=merged.known,
        metrics=metrics,
        profile=present_profile(merged.profile),
        provenance=provenance,
        basis=Basis(published.batch_id if published else 0, reading.pin.pointer.generation, merged.next_offset),
    )


def parts_of(customer: str, reading: Reading) -> Parts | None:
    """Returns what the customer's answer is merged from; None where a stored cell cannot be read."""
    cut = reading.pin.cut[partition_of(customer, reading.pin.partitions)]
    try:
        deltas = decoded([row for row in reading.deltas.get(customer, ()) if row[0] >= cut])
        return parts(view_row(reading.rows.get(customer)), deltas, cut)
    except UnreadableCell:
        return None
