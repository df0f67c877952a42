"""The watchdog: ends a worker whose partition makes no progress although it could."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from common.errors import WorkerError
from speed_layer.apply.lanes import Lane


class Stuck(WorkerError):
    """A partition made no progress although the log has records and the servers answer."""


@dataclass(slots=True)
class _Seen:
    lane: Lane
    next_offset: int
    at: float


@dataclass(slots=True)
class Watchdog:
    """Remembers when each lane last made progress, or had nothing to do. `monotonic` gives seconds."""

    limit_seconds: float
    monotonic: Callable[[], float] = time.monotonic
    _seen: dict[int, _Seen] = field(default_factory=dict)

    def look(self, lane: Lane, *, end: int, is_waiting: bool) -> None:
        """Raises Stuck if the lane has stood below `end` for `limit_seconds`, and no server was waited for.

        `is_waiting`: an operation waits for Cassandra or Kafka to answer again.
        """
        now = self.monotonic()
        seen = self._seen.get(lane.partition)
        if seen is None or seen.lane is not lane:
            seen = self._seen[lane.partition] = _Seen(lane, lane.start, now)
        if lane.next_offset >= end or lane.next_offset != seen.next_offset or is_waiting:
            seen.next_offset = lane.next_offset
            seen.at = now
        elif now - seen.at > self.limit_seconds:
            text = (
                f"partition {lane.partition} has stood at offset {lane.next_offset} for {self.limit_seconds:.0f} s, "
                "although the log goes on and the store answers: the worker ends itself, so that another one takes its "
                "partitions"
            )
            raise Stuck(text)
