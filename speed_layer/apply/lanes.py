"""A partition under one assignment, from seek to revocation: proof that what was applied has no hole (R12).

The consumer's thread reports what it fetched, the worker's loop what it applied. Each record carries its lane and the
offset that it follows. So a record that was lost on the way is noticed, and so is one that an older assignment left in
a buffer. Only the fetch skips offsets: those that hold no committed record, as transactions leave them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from common.errors import WorkerError


class OutOfSequence(WorkerError):
    """A record does not follow the last one: something between the fetch and the worker dropped or repeated one.

    `details` names the partition, the record's offset, the offset it follows and the one expected.
    """

    def __init__(self, **details: int) -> None:
        self.details = details
        super().__init__(" ".join(f"{name}={value}" for name, value in details.items()))


class Fetched(msgspec.Struct, frozen=True, gc=False):
    """How far a lane's fetch is. Immutable: the consumer's thread replaces it whole, another thread reads it."""

    sent: int
    """The offset after the last record handed over; the lane's start if there was none."""
    clear: int
    """At or above `sent`. The log was read from `sent` up to here, and held no committed record there."""
    size: int
    """Bytes handed over so far, with an allowance for each record."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where a lane starts, and the rest of the partition's progress row, all from one read (R12)."""

    offset: int
    from_offset: int
    validation_versions: str
    """The versions that decided what is applied below `offset`, and this release's own."""
    caught_up_at: int


@dataclass(eq=False, slots=True)
class Lane:
    """One partition from its start on. Compared by identity: each assignment and each seek makes a new lane."""

    partition: int
    origin: Start
    fetched: Fetched = field(init=False)
    taken: int = field(init=False)
    """The offset after the last record that the worker took from the buffers."""
    taken_size: int = field(init=False, default=0)
    applied: int = field(init=False)
    """The offset after the last record applied, acknowledged and published."""
    applied_at: int = field(init=False, default=0)
    """That record's append time in microseconds."""

    @property
    def start(self) -> int:
        return self.origin.offset

    def __post_init__(self) -> None:
        self.fetched = Fetched(self.start, self.start, 0)
        self.taken = self.applied = self.start

    def send(self, records: Iterable[tuple[int, int]]) -> list["Link"]:
        """Note the next records, given by offset and size, and return their links. For the consumer's thread."""
        sent = self.fetched.sent
        size = self.fetched.size
        links = []
        for offset, bytes_ in records:
            size += bytes_
            links.append(Link(self, sent, size))
            sent = offset + 1
        self.fetched = Fetched(sent, max(sent, self.fetched.clear), size)
        return links

    def cleared(self, next_offset: int) -> None:
        """Note that everything below `next_offset` was read and handed over. For the consumer's thread."""
        before = self.fetched
        if next_offset > before.clear:
            self.fetched = Fetched(before.sent, next_offset, before.size)

    def take(self, link: "Link", offset: int) -> None:
        """Note that the worker took a record. Raises OutOfSequence if it does not follow the last one taken."""
        if link.follows != self.taken or offset < self.taken:
            raise OutOfSequence(partition=self.partition, offset=offset, follows=link.follows, expected=self.taken)
        self.taken = offset + 1
        self.taken_size = link.size

    def advance(self, next_offset: int, appended_at: int) -> None:
        """Note that everything taken below `next_offset` is applied; the last of it was appended at `appended_at`."""
        self.applied = next_offset
        self.applied_at = max(self.applied_at, appended_at)

    @property
    def next_offset(self) -> int:
        """The lane's progress: everything from `start` up to this offset, exclusive, is applied."""
        fetched = self.fetched
        return fetched.clear if self.applied == fetched.sent else self.applied

    @property
    def backlog(self) -> int:
        """Bytes handed over and not yet taken."""
        return self.fetched.size - self.taken_size


class Link(msgspec.Struct, frozen=True):
    """What ties a record to its lane: the offset it follows, and the lane's bytes up to and with it."""

    lane: Lane
    follows: int
    size: int


class Lanes:
    """The lanes of the current assignment, by partition. Safe for two threads: both replace and read whole entries."""

    def __init__(self) -> None:
        self._lanes: dict[int, Lane] = {}

    def open(self, partition: int, start: Start) -> Lane:
        """Returns a new lane for the partition. Records of its last lane are dropped from now on."""
        lane = self._lanes[partition] = Lane(partition, start)
        return lane

    def close(self) -> None:
        """Close every lane: no partition is assigned any more."""
        self._lanes = {}

    def get(self, partition: int) -> Lane | None:
        return self._lanes.get(partition)

    def drop(self, lane: Lane) -> None:
        lanes = self._lanes  # which the other thread may replace at any moment
        if lanes.get(lane.partition) is lane:
            lanes.pop(lane.partition, None)

    def is_open(self, lane: Lane) -> bool:
        return self._lanes.get(lane.partition) is lane

    def all(self) -> list[Lane]:
        return list(self._lanes.values())

    @property
    def backlog(self) -> int:
        return sum(lane.backlog for lane in self.all())
