"""A worker's step: validate a micro-batch, apply its customers concurrently, publish, then advance the lanes."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import attrgetter
from typing import Any, Final

import structlog

from common.algebra.alerts import rule_of
from common.algebra.facts import Outcome
from common.errors import RejectedRecord, WorkerError, as_value
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
    """Everything a worker changes."""

    store: FactStore
    cache: FactCache
    lanes: Lanes
    messages_of: Callable[[Sequence[Copy]], Coroutine[Any, Any, Sequence[Any]]]
    """Makes the copies' messages, in their order."""
    publish: Callable[[Sequence[Any]], Coroutine[Any, Any, None]]
    """Returns once all of these messages are acknowledged, however long that takes."""
    publish_rejected: Callable[[Sequence[DeadLetter]], Coroutine[Any, Any, None]]
    """Returns once all of them are acknowledged, however long that takes."""


@dataclass(slots=True)
class Step:
    """An applied micro-batch that is not published yet."""

    ends: dict[int, tuple[Lane, Delivered]] = field(default_factory=dict)
    """By partition: its lane, and its last record in the micro-batch."""
    copies: list[Copy] = field(default_factory=list)
    rejected: list[DeadLetter] = field(default_factory=list)
    messages: Sequence[Any] = ()
    """Those of the copies, in the log's order."""


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
        await self.publish([await self.apply(delivered)])

    async def apply(self, delivered: Sequence[Delivered]) -> Step:
        """Apply the records of open lanes, groups of customers concurrently, and return what is to be published.

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
            for group in self._groups(customers):
                before = {self._last[customer] for customer in group if customer in self._last}
                task = tasks.create_task(self._apply({each: customers[each] for each in group}, step, before))
                self._last.update(dict.fromkeys(group, task))
        step.copies.sort(key=attrgetter("position"))
        step.messages = await self._ports.messages_of(step.copies)
        return step

    async def publish(self, steps: Sequence[Step]) -> None:
        """Publish applied micro-batches, each in the log's order, then advance their lanes.

        Micro-batches must be given in the order in which they were applied, and published in that order.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ports.publish([message for step in steps for message in step.messages]))
            tasks.create_task(self._ports.publish_rejected([letter for step in steps for letter in step.rejected]))
        for step in steps:
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
            step.rejected.append(DeadLetter.of(terms.topic, record, as_value(error)))
            self.counts["dead"] += 1
            return
        self.future_dated += event.future_dated
        customers.setdefault(event.customer_id, []).append(Placed(record.offset, record.appended_at, event))

    def _groups(self, customers: Iterable[str]) -> Iterable[Sequence[str]]:
        """Groups of the store's, apart for those that are cached: they do not wait for the others to be read."""
        new, cached = list[str](), list[str]()
        for customer in customers:
            (cached if customer in self._ports.cache else new).append(customer)
        return chain(self._ports.store.groups(new), self._ports.store.groups(cached))

    async def _apply(
        self, customers: Mapping[str, Sequence[Placed]], step: Step, before: Collection[asyncio.Task[None]]
    ) -> None:
        ports = self._ports
        if before:
            await _ended_well(before)
        applied = await apply(ports.store, ports.cache, customers, self._terms.alerts)
        met_again = {customer_id: done.again for customer_id, done in applied.items() if done.again}
        found = await asyncio.gather(*(ports.store.rows(*each) for each in met_again.items()))
        again = dict(zip(met_again, found, strict=True))
        for customer_id, done in applied.items():
            self._count(done)
            partition = partition_of(customer_id, self._terms.partitions)
            rows: Iterable[Stored | Change | Reset] = (*again.get(customer_id, ()), *done.written)
            step.copies += [Copy(Position(partition, row.offset), customer_id, row.delta, row.alerts) for row in rows]
        task = asyncio.current_task()
        for customer_id in customers:
            if self._last.get(customer_id) is task:
                del self._last[customer_id]

    def _count(self, applied: Applied) -> None:
        for outcome, count in applied.outcomes.items():
            self.counts[COUNTED[outcome]] += count
        for row in applied.written:
            self.alerts.update(map(rule_of, row.alerts))


async def _ended_well(tasks: Collection[asyncio.Task[None]]) -> None:
    """Return once the tasks have ended. Raises WorkerError if one was cancelled or failed: nothing may follow it."""
    await asyncio.wait(tasks)
    if any(task.cancelled() or task.exception() is not None for task in tasks):
        raise WorkerError("the customer's records before these were not applied")
