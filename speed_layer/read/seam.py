"""The one seam in Faust. It reads committed records only, from our own progress, and links each record to its lane.

`app.py` puts this `Thread` in the place of Faust's own. tests/unit/speed_layer/test_speed_seam.py pins every name that
both rely on. Faust's own offsets decide nothing: they are committed for the eyes of monitoring tools.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol, cast

import aiokafka
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import ConsumerStoppedError, NoOffsetForPartitionError, OffsetOutOfRangeError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.transport.drivers.aiokafka import Consumer as FaustConsumer
from faust.transport.drivers.aiokafka import Transport as FaustTransport
from faust.types import TP

from common.errors import LogError
from common.log.position import Position
from speed_layer.apply.delivered import Bundle, Linked
from speed_layer.apply.lanes import Lanes, Start
from speed_layer.read.headers import read_any_header

log = structlog.get_logger("speed_layer.log")
BACKLOG_BYTES: Final = 32 * 2**20
"""Fetching stops while more bytes than this are fetched and not yet taken by the worker."""
RECORD_BYTES: Final = 1500
"""The memory that one record needs besides its bytes, about."""
HEADER_BYTES: Final = 200
"""The memory that one header needs besides its bytes, about."""
PAUSE_SECONDS: Final = 0.02
AT_ONCE: Final = 1, 1500
"""The bytes and the milliseconds with which Kafka answers a fetch at its first record."""
TOGETHER_BYTES: Final = 64 * 1024
"""So many bytes Kafka hands over at once, also where it may hold back records for more to come."""
DAY_SECONDS: Final = 86_400.0


class Reader(Protocol):
    """What the seam needs of the worker."""

    lanes: Lanes
    backlog_bytes: int
    fetch_wait_seconds: float

    leaves: bool
    """Whether a stop is final: then the worker leaves the group, and its partitions are assigned to others at once."""

    @property
    def paused(self) -> bool:
        """Whether fetching is suspended."""
        ...

    async def starts(self, partitions: Iterable[int]) -> Mapping[int, Start]:
        """Returns where each partition is to be read from, once the servers have answered, however long that takes."""
        ...

    def forget(self) -> None:
        """Drop what is cached and queued. Called whenever partitions are assigned or revoked."""
        ...

    def fail(self, error: BaseException) -> None:
        """End the process without acknowledging anything more. Thread-safe."""
        ...


class Thread(AIOKafkaConsumerThread):
    """Fetches committed records in a thread of its own, from partitions that were sought to our own progress."""

    def __init__(self, consumer: FaustConsumer, reader: Reader, **kwargs: Any) -> None:
        self.reader = reader
        self._states: dict[int, Any] = {}
        self._seeking = asyncio.Lock()
        super().__init__(consumer, **kwargs)

    def _create_worker_consumer(self, transport: FaustTransport) -> aiokafka.AIOKafkaConsumer:
        read_any_header()
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # noqa: SLF001 # read when the fetcher is made, at start
        return consumer

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Close the lanes of the old assignment first: its records are dropped from here on."""
        self._close()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Close the lanes. Faust then calls `seek_to_committed`, and nothing is fetched before that has run."""
        self._close()
        await super().on_partitions_assigned(assigned, generation_id)

    async def on_thread_stop(self) -> None:
        """Leave the group if the stop is final; otherwise the worker stays a member for the session time."""
        coordinator = getattr(self._consumer, "_coordinator", None)
        if self.reader.leaves and coordinator is not None:
            coordinator._group_instance_id = None  # noqa: SLF001 # aiokafka lets only members without one leave
        await super().on_thread_stop()

    def lost(self) -> BaseException | None:
        """Returns the error that ended aiokafka's membership of the group, if one did.

        aiokafka itself raises that error only to a caller that fetches.
        """
        coordinator = getattr(self._consumer, "_coordinator", None)
        task = getattr(coordinator, "_coordination_task", None)
        if task is not None and task.done() and not task.cancelled() and not self.should_stop:
            return cast("BaseException | None", task.exception()) or ConsumerStoppedError()
        return cast("BaseException | None", getattr(coordinator, "_pending_exception", None))

    def _close(self) -> None:
        self.reader.lanes.close()
        self._states = {}

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek every assigned partition to our own progress (R12), each in a new lane.

        Seeks run one at a time. Otherwise a seek that waited long could end in the middle of the next assignment.
        """
        async with self._seeking:
            assigned = self.assignment()
            starts = await self.reader.starts([tp.partition for tp in assigned])
            self.reader.forget()
            await self.call_thread(self._seek, {tp: starts[tp.partition] for tp in assigned})
        positions = sorted(Position(partition, start.offset) for partition, start in starts.items())
        log.info("partitions_assigned", partitions=",".join(map(str, positions)))
        return {tp: starts[tp.partition].offset for tp in assigned}

    async def _seek(self, starts: Mapping[TP, Start]) -> None:
        consumer = self._ensure_consumer()
        for tp in self.assignment() & starts.keys():
            consumer.seek(tp, starts[tp].offset)
            self._states[tp.partition] = self._state(tp)
            self.reader.lanes.open(tp.partition, starts[tp])

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit our own progress to Kafka, for monitoring tools. Nothing depends on it, so a failure is logged only.

        Not the `offsets` that Faust has acknowledged, but those below which everything is applied and published.
        """
        lanes = {tp: self.reader.lanes.get(tp.partition) for tp in offsets.keys() & self.assignment()}
        held = {TopicPartition(*tp): OffsetAndMetadata(lane.next_offset, "") for tp, lane in lanes.items() if lane}
        try:
            await self._ensure_consumer().commit(held)
        except Exception as error:
            log.debug("commit_failed", error=repr(error))
            return False
        return True

    def _state(self, tp: TP) -> Any:
        """Returns aiokafka's state object of the partition, new in each assignment; none if it is not assigned."""
        subscription = self._ensure_consumer()._subscription.subscription  # noqa: SLF001 # the seam
        assignment = None if subscription is None else subscription.assignment
        return None if assignment is None or tp not in assignment.tps else assignment.state_value(tp)

    def _sought(self, tp: TP) -> Any:
        """Returns the partition's state object if it is still the one that we sought."""
        state = self._state(tp)
        return state if state is self._states.get(tp.partition) else None

    async def _fetch_records(
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> dict[TP, list[Bundle]]:
        ready = {tp for tp in tuple(active_partitions) if self.reader.lanes.get(tp.partition)}
        if not ready or self.reader.paused or self.reader.lanes.backlog > self.reader.backlog_bytes:
            await asyncio.sleep(PAUSE_SECONDS)
            return {}
        try:
            fetched = await super()._fetch_records(consumer, ready, timeout, max_records)
        except ConsumerStoppedError:
            raise
        except Exception as error:
            if self._is_of_unsought(error):
                await asyncio.sleep(PAUSE_SECONDS)
                return {}
            self.reader.fail(LogError(f"the log cannot be read on: {_why(error)}. The worker stops and skips nothing"))
            await asyncio.sleep(DAY_SECONDS)
            return {}
        self._hold_back(consumer, have_come=bool(fetched))
        return self._link(consumer, ready, fetched)

    def _hold_back(self, consumer: Any, *, have_come: bool) -> None:
        """Let Kafka hold back the next fetches for more records to come, while records come: else answer at the first.

        Records that are fetched one by one cost a worker, and Kafka, several times what they cost together. The first
        one after a silence is not held back.
        """
        fetcher, wait = consumer._fetcher, round(1000 * self.reader.fetch_wait_seconds)  # noqa: SLF001 # the seam
        chosen = (TOGETHER_BYTES, wait) if have_come and wait else AT_ONCE
        fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms = chosen  # noqa: SLF001 # read for each request

    def _is_of_unsought(self, error: Exception) -> bool:
        """Whether the error is about an offset that aiokafka chose before our seek: then it is ignored."""
        if isinstance(error, NoOffsetForPartitionError):
            return True  # a sought partition has an offset
        return isinstance(error, OffsetOutOfRangeError) and not any(self._sought(tp) for tp in error.args[0])

    def _link(self, consumer: Any, ready: set[TP], fetched: Mapping[TP, list[Any]]) -> dict[TP, list[Bundle]]:
        """Returns the fetched records, each linked to its lane.

        No `await` may stand between the fetch and this call: a seek could separate records from their lane.
        """
        linked: dict[TP, tuple[Linked, ...]] = {}
        for tp in ready:
            lane, state = self.reader.lanes.get(tp.partition), self._sought(tp)
            if lane is None or state is None:
                continue
            records = fetched.get(tp, ())
            if records:
                links = lane.send((record.offset, _size(record)) for record in records)
                linked[tp] = tuple(map(Linked, records, links))
            if tp not in consumer._fetcher._records:  # noqa: SLF001 # neither records nor an error are waiting
                lane.cleared(state.position)
        last = next(reversed(linked), None)
        return {tp: [Bundle(records, is_last=tp is last)] for tp, records in linked.items()}


def _why(error: Exception) -> str:
    if not isinstance(error, OffsetOutOfRangeError):
        return repr(error)
    sought = ", ".join(f"partition {tp.partition} at offset {offset}" for tp, offset in sorted(error.args[0].items()))
    return f"it does not hold what comes next, {sought}; records were deleted before they were applied, or it lost some"


def _size(record: Any) -> int:
    size = len(record.key or b"") + len(record.value or b"") + RECORD_BYTES
    if record.headers:
        size += sum(HEADER_BYTES + len(name) + len(content or b"") for name, content in record.headers)
    return size
