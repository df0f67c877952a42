"""The vitals of a worker process, read from its live objects on demand. Nothing is counted for them."""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import dataclass, replace
from typing import Protocol

import msgspec

from common.algebra.versions import logic_version
from common.log.position import Position
from common.progress import Progress
from common.servers.retry import Retry
from speed_layer.apply.lanes import Lane, Lanes


class PartitionVitals(msgspec.Struct, frozen=True):
    """A partition that the worker reads. `end_offset` is as of the last heartbeat; sizes in bytes."""

    partition: int
    from_offset: int
    next_offset: int
    end_offset: int
    behind_records: int
    behind_seconds: float | None
    """Seconds since everything appended was applied; 0 where nothing is left, null before it ever was."""
    in_flight_records: int
    """Offsets handed over by the fetch and not yet applied."""
    backlog_bytes: int
    moved: bool
    """Whether this worker has applied records of it, or nothing is left to apply."""


class Vitals(msgspec.Struct, frozen=True):
    """A worker at one moment; times are microseconds (UTC)."""

    seat: int
    pid: int
    member: str
    at: int
    steady: bool
    """Whether its partitions are assigned and no rebalance is under way."""
    paused: bool
    """Whether fetching is suspended because a circuit breaker is open. Back-pressure is not a pause."""
    partitions: tuple[PartitionVitals, ...]
    counts: Mapping[str, int]
    future_dated: int
    alerts: Mapping[str, int]
    copied: Mapping[str, int]
    breakers: Mapping[str, str]
    openings: Mapping[str, int]
    retries_waiting: int
    cached_customers: int
    beat_at: int
    """When a heartbeat was last written; 0 before the first."""
    logic_version: str

    @property
    def settled(self) -> bool:
        """Whether every assigned partition has caught up with the log or made progress."""
        return self.steady and all(partition.moved for partition in self.partitions)

    @property
    def well(self) -> bool:
        """Whether it is steady, not paused, and all circuits are closed."""
        return self.steady and not self.paused and all(state == "closed" for state in self.breakers.values())


class Beating(Protocol):
    """What is read of the keeper: the rows, the log's ends and the time of the last heartbeat."""

    latest: Mapping[int, Progress]
    ends: Mapping[int, int]
    beat_at: int


class Counting(Protocol):
    """What is read of the worker."""

    counts: Counter[str]
    alerts: Counter[str]
    future_dated: int


@dataclass(frozen=True, slots=True)
class Watched:
    """The live objects. Each is read in one step, so another thread may read them."""

    lanes: Lanes
    keeper: Beating
    worker: Counting
    copied: Mapping[str, int]
    retries: Sequence[Retry]
    cache: Sized
    steady: Callable[[], bool]
    paused: Callable[[], bool]


class Gauge:
    """Reads one worker's vitals. `clock` gives microseconds (UTC)."""

    def __init__(self, watched: Watched, seat: int, member: str, clock: Callable[[], int]) -> None:
        self._watched, self._seat, self._member, self._clock = watched, seat, member, clock

    def __call__(self) -> Vitals:
        """Returns the vitals now. Thread-safe."""
        watched, now = self._watched, self._clock()
        breakers = [retry.breaker for retry in watched.retries]
        return Vitals(
            seat=self._seat,
            pid=os.getpid(),
            member=self._member,
            at=now,
            steady=watched.steady(),
            paused=watched.paused(),
            partitions=tuple(self._partitions(now)),
            counts=dict(watched.worker.counts),
            future_dated=watched.worker.future_dated,
            alerts=dict(watched.worker.alerts),
            copied=dict(watched.copied),
            breakers={breaker.server: breaker.state.value for breaker in breakers},
            openings={breaker.server: breaker.opened for breaker in breakers},
            retries_waiting=sum(retry.waiting for retry in watched.retries),
            cached_customers=len(watched.cache),
            beat_at=watched.keeper.beat_at,
            logic_version=logic_version(),
        )

    def _partitions(self, now: int) -> list[PartitionVitals]:
        return [
            self._partition(lane, now) for lane in sorted(self._watched.lanes.all(), key=lambda lane: lane.partition)
        ]

    def _partition(self, lane: Lane, now: int) -> PartitionVitals:
        written = self._watched.keeper.latest.get(lane.partition)
        row = written or Progress.nothing(lane.partition)
        next_offset = lane.next_offset
        live = replace(row, next_offset=next_offset, end_offset=max(row.end_offset, next_offset))
        is_caught_up = next_offset >= self._watched.keeper.ends.get(lane.partition, live.end_offset)
        return PartitionVitals(
            partition=lane.partition,
            from_offset=row.from_offset,
            next_offset=next_offset,
            end_offset=live.end_offset,
            behind_records=live.behind_records,
            behind_seconds=None if written is None else live.behind_seconds(now, end_is_known=True),
            in_flight_records=max(lane.fetched.sent - lane.applied, 0),
            backlog_bytes=lane.backlog,
            moved=next_offset > lane.start or (written is not None and is_caught_up),
        )

    def positions(self) -> list[Position]:
        """Returns how far each partition is applied, for the lines of the log."""
        return sorted(Position(lane.partition, lane.next_offset) for lane in self._watched.lanes.all())
