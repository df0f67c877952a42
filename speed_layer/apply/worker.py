"""A worker's step: validate a micro-batch, apply its customers concurrently, publish, then advance the lanes."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

import structlog

from common.algebra.alerts import rule_of
from common.algebra.facts import Outcome
from common.errors import RejectedRecord, WorkerError
from common.log.copies import Copy
from common.log.events import parse
from common.log.normalizing import Rules
from common.log.partition import partition_of
from common.log.position import Position
from speed_layer.apply.alerts import AlertSettings
from speed_layer.apply.cache import FactCache
from speed_layer.apply.dead_letter import DeadLetter
from speed_layer.apply.decide import Applied, apply
from speed_layer.apply.delivered import Delivered
from speed_layer.apply.lanes import Lane, Lanes, OutOfSequence
from speed_layer.apply.ports import FactStore
from speed_layer.apply.rows import Change, Placed, Reset, Stored

log = structlog.get_logger(__name__)
COUNTED: Final = {
    Outcome.CHANGED: "applied",
    Outcome.REPEATED: "repeated",
    Outcome.STALE: "stale",
    Outcome.REWRITTEN: "again",
    Outcome.SKIPPED: "again",
}
"""What a record counts as. `again` is a redelivered record that this or another worker had applied."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a worker is told: the log's topic and partition count, and what validation and the alerts' rules read."""

    topic: str
    partitions: int
    rules: Rules
    alerts: AlertSettings


@dataclass(slots=True)
class Ports:
    """Everything a worker changes. The publishing calls return once all is acknowledged, however long that takes."""

    store: FactStore
    cache: FactCache
    lanes: Lanes
    publish_copies: Callable[[Sequence[Copy]], Coroutine[Any, Any, None]]
    publish_rejected: Callable[[Sequence[DeadLetter]], Coroutine[Any, Any, None]]


@dataclass(slots=True)
class Step:
    """An applied micro-batch that is not published yet."""

    ends: dict[int, tuple[Lane, Delivered]] = field(default_factory=dict)
    """By partition: its lane, and its last record in the micro-batch."""
    copies: list[Copy] = field(default_factory=list)
    rejected: list[DeadLetter] = field(default_factory=list)


class Worker:
    """Applies and publishes micro-batches of records."""

    def __init__(self, terms: Terms, ports: Ports) -> None:
        self._terms = terms
        self._ports = ports
        self._last: dict[str, asyncio.Task[None]] = {}
        """By customer, the last task that was begun for it, until it has ended well."""
        self.future_dated = 0
        """Valid records with a date beyond their append time + 1 day, so far."""
        self.counts: Counter[str] = Counter()
        """Records so far: `received`, which is the sum of `applied`, `repeated`, `stale`, `dead` and `again`."""
        self.alerts: Counter[str] = Counter()
        """Alerts raised so far, by rule. A redelivered record counts its alerts again."""

    async def process(self, delivered: Sequence[Delivered]) -> None:
        """Apply and publish the records of open lanes, and advance these lanes. Raises what the ports raise.

        Records of closed lanes are ignored: they are redelivered in another lane.
        """
        await self.publish(await self.apply(delivered))

    async def apply(self, delivered: Sequence[Delivered]) -> Step:
        """Apply the records of open lanes, all customers concurrently, and return what is to be published.

        Several calls may be under way, and take the records in the order in which they began. A customer's records are
        applied in that order, too: a later call waits for an earlier one's task of the same customer. If that fails, or
        is cancelled, the later one fails.
        The store bounds the statements in flight. No lane has advanced at the return.
        """
        customers: dict[str, list[Placed]] = {}
        step = Step()
        for record in delivered:
            if self._take(record):
                step.ends[record.link.lane.partition] = record.link.lane, record
                self._sort(record, customers, step)
        async with asyncio.TaskGroup() as tasks:
            for customer_id, records in customers.items():
                before = self._last.get(customer_id)
                self._last[customer_id] = tasks.create_task(self._apply(customer_id, records, step, before))
        return step

    async def publish(self, step: Step) -> None:
        """Publish an applied micro-batch in the log's order, then advance its lanes.

        Micro-batches must be published in the order in which they were applied.
        """
        step.copies.sort(key=attrgetter("position"))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ports.publish_copies(step.copies))
            tasks.create_task(self._ports.publish_rejected(step.rejected))
        for lane, last in step.ends.values():
            lane.advance(last.offset + 1, last.appended_at)

    def _take(self, record: Delivered) -> bool:
        lane = record.link.lane
        if not self._ports.lanes.is_open(lane):
            return False
        try:
            lane.take(record.link, record.offset)
        except OutOfSequence as error:
            log.warning("out_of_sequence", action="read_again", **error.details)
            self._ports.lanes.drop(lane)
            return False
        self.counts["received"] += 1
        return True

    def _sort(self, record: Delivered, customers: dict[str, list[Placed]], step: Step) -> None:
        partition = record.link.lane.partition
        terms = self._terms
        try:
            event = parse(record.key, record.value, partition, terms.partitions, record.appended_at, terms.rules)
        except RejectedRecord as error:
            step.rejected.append(DeadLetter.of(terms.topic, record, error))
            self.counts["dead"] += 1
            return
        self.future_dated += event.future_dated
        customers.setdefault(event.customer_id, []).append(Placed(record.offset, record.appended_at, event))

    async def _apply(
        self, customer_id: str, records: Sequence[Placed], step: Step, before: "asyncio.Task[None] | None"
    ) -> None:
        ports = self._ports
        if before is not None:
            await _ended_well(before)
        applied = await apply(ports.store, ports.cache, customer_id, records, self._terms.alerts)
        again = await ports.store.rows(customer_id, applied.again) if applied.again else ()
        self._count(applied)
        partition = partition_of(customer_id, self._terms.partitions)
        rows: Iterable[Stored | Change | Reset] = (*again, *applied.written)
        step.copies += [Copy(Position(partition, row.offset), customer_id, row.delta, row.alerts) for row in rows]
        if self._last.get(customer_id) is asyncio.current_task():
            del self._last[customer_id]

    def _count(self, applied: Applied) -> None:
        for outcome, count in applied.outcomes.items():
            self.counts[COUNTED[outcome]] += count
        for row in applied.written:
            self.alerts.update(map(rule_of, row.alerts))


async def _ended_well(task: "asyncio.Task[None]") -> None:
    """Return once the task has ended. Raises WorkerError if it was cancelled or has failed: nothing may follow it."""
    await asyncio.wait((task,))
    if task.cancelled() or task.exception() is not None:
        raise WorkerError("the customer's records before these were not applied")
