"""The topic of deltas in memory, with repeats and retention, and what a client of a stream has of it."""

import threading
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from common.algebra.facts import Delta as Change
from common.errors import LogError
from common.log.copies import Copy, delta_event
from common.log.copy_events import decode_delta_event
from common.log.position import Position
from serving_layer.live.streams import Delta
from serving_layer.live.topic import Extent
from tests.support.serving_fakes import delta, order


def made(partition: int, offset: int, customer: str = "ada", change: Change | None = None) -> Delta:
    """A delta as it comes out of the topic."""
    body = delta_event(Copy(Position(partition, offset), customer, change or delta(order())), "v")
    return Delta.of(decode_delta_event(body), body)


@dataclass
class MemoryTopic:
    """Implements `DeltaTopic`. Messages are kept for ever; `firsts` says which of them the topic still holds."""

    count: int = 4
    messages: dict[int, list[Delta]] = field(default_factory=lambda: defaultdict(list))
    firsts: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    ends: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Of the log."""
    slack: int = 1
    """So many messages too early a start is found: Kafka finds it by time."""
    knows_times: bool = True
    """Whether the log still holds the records by whose times a start is found."""
    failure: Exception | None = None
    """What every call raises."""
    changed: threading.Condition = field(default_factory=threading.Condition)

    def publish(self, partition: int, offset: int, customer: str = "ada", change: Change | None = None) -> None:
        """A copy of the record at that position, for the first time or again."""
        with self.changed:
            self.messages[partition].append(made(partition, offset, customer, change))
            self.ends[partition] = max(self.ends[partition], offset + 1)
            self.changed.notify_all()

    def expire(self, partition: int, messages: int) -> None:
        """The topic no longer holds its first messages."""
        self.firsts[partition] = min(self.firsts[partition] + messages, len(self.messages[partition]))

    def partitions(self) -> int:
        self._fail()
        return self.count

    def extents(self, partitions: Collection[int]) -> Mapping[int, Extent]:
        self._fail()
        return {partition: Extent(self.firsts[partition], len(self.messages[partition])) for partition in partitions}

    def starts(self, vector: Mapping[int, int]) -> Mapping[int, int]:
        self._fail()
        found: dict[int, int] = {}
        for partition, offset in vector.items() if self.knows_times else ():
            above = (i for i, each in enumerate(self.messages[partition]) if each.position.offset >= offset)
            first = next(above, len(self.messages[partition]))
            if offset > 0:
                found[partition] = max(first - self.slack, self.firsts[partition])
        return found

    def log_ends(self, partitions: int) -> Mapping[int, int]:
        self._fail()
        return {partition: self.ends[partition] for partition in range(partitions)}

    def read(self, begin: Mapping[int, int]) -> "MemoryReading":
        self._fail()
        return MemoryReading(self, dict(begin))

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


@dataclass
class MemoryReading:
    """Implements `Reading`."""

    topic: MemoryTopic
    next: dict[int, int]
    is_away: bool = False
    is_closed: bool = False
    most: int = 3
    """Messages of a partition at once."""

    def deltas(self, seconds: float) -> list[Delta]:
        with self.topic.changed:
            found = self._found()
            if not found and seconds and not self.is_away:
                self.topic.changed.wait(seconds)
                found = self._found()
        return found

    def is_past(self, partition: int, end: int) -> bool:
        return self.next[partition] >= end

    def close(self) -> None:
        self.is_closed = True

    def _found(self) -> list[Delta]:
        self.topic._fail()
        found: list[Delta] = []
        for partition, offset in () if self.is_away else list(self.next.items()):
            if offset < self.topic.firsts[partition]:
                raise LogError(f"offset {offset} of partition {partition} is gone")
            new = self.topic.messages[partition][offset : offset + self.most]
            self.next[partition] += len(new)
            found += new
        return found
