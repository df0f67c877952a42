"""A worker's step: take a micro-batch, validate, apply its customers side by side, and only then move the lanes on."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from common.errors import RejectedRecord
from common.events import Rules, parse
from speed_layer.apply import Placed, Store, apply
from speed_layer.cache import FactCache
from speed_layer.dead_letters import DeadLetter
from speed_layer.lanes import Lane, Lanes, Link, OutOfSequence

log = logging.getLogger(__name__)
MICROS_PER_SECOND: Final = 1_000_000


class Delivered(msgspec.Struct, frozen=True):
    """A record as it came, with the link that proves its place."""

    offset: int
    key: bytes | None
    value: bytes | None
    appended_at: int
    link: Link


class Worker:
    """Applies what it is given; every effect goes through the store, `publish` and the lanes."""

    def __init__(
        self,
        topic: str,
        partitions: int,
        rules: Rules,
        store: Store,
        cache: FactCache,
        lanes: Lanes,
        publish: Callable[[Sequence[DeadLetter]], Awaitable[None]],
        *,
        in_flight: int,
    ) -> None:
        self._topic, self._partitions, self._rules = topic, partitions, rules
        self._store, self._cache, self._lanes, self._publish = store, cache, lanes, publish
        self._slots = asyncio.Semaphore(in_flight)
        self.future_dated = 0
        """Valid records with a date beyond their append time + 1 day, so far."""
        self.applied = 0
        """Records applied so far, rejected ones among them."""

    async def process(self, delivered: Sequence[Delivered]) -> None:
        """Every record of a lane that is still open is applied, acknowledged and published, and the lanes say so.

        Records of closed lanes are passed over: they come again in another lane. Raises what the store raises.
        """
        customers: dict[str, list[Placed]] = {}
        rejected: list[DeadLetter] = []
        ends: dict[int, tuple[Lane, Delivered]] = {}
        for record in delivered:
            if self._take(record):
                ends[record.link.lane.partition] = record.link.lane, record
                self._sort(record, customers, rejected)
        async with asyncio.TaskGroup() as tasks:
            for customer_id, records in customers.items():
                await self._slots.acquire()
                tasks.create_task(self._apply(customer_id, records))
            await self._publish(rejected)
        for lane, last in ends.values():
            lane.apply(last.offset + 1, last.appended_at)

    def _take(self, record: Delivered) -> bool:
        lane = record.link.lane
        if not self._lanes.is_open(lane):
            return False
        try:
            lane.take(record.link, record.offset)
        except OutOfSequence as error:
            log.warning("event=out_of_sequence action=read_again %s", error)
            self._lanes.drop(lane)
            return False
        self.applied += 1
        return True

    def _sort(self, record: Delivered, customers: dict[str, list[Placed]], rejected: list[DeadLetter]) -> None:
        partition = record.link.lane.partition
        try:
            event = parse(record.key, record.value, partition, self._partitions, record.appended_at, self._rules)
        except RejectedRecord as error:
            place = (self._topic, partition, record.offset, record.key, record.value, record.appended_at)
            rejected.append(DeadLetter(*place, error))
            return
        self.future_dated += event.future_dated
        customers.setdefault(event.customer_id, []).append(Placed(record.offset, record.appended_at, event))

    async def _apply(self, customer_id: str, records: Sequence[Placed]) -> None:
        try:
            await apply(self._store, self._cache, customer_id, records)
        finally:
            self._slots.release()
