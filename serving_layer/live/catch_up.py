"""Reads for one stream that is resumed what the process no longer keeps, until the stream can join the others."""

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import msgspec

from common.log.position import Position
from serving_layer.live.streams import Delta
from serving_layer.live.topic import DeltaTopic, Extent, Reading


class Missing(msgspec.Struct, frozen=True):
    """Positions of a partition whose deltas, if there were any, cannot be sent any more; both ends are included.

    A null `last` means that it is not known how far that goes.
    """

    partition: int
    first: int
    last: int | None


@dataclass(frozen=True, slots=True)
class Part:
    """What was read in one go."""

    missing: list[Missing]
    """Lies before `deltas`."""
    deltas: list[Delta]


class CatchUp:
    """One pass over the topic, up to the ends that it had when the pass began. It must be closed. It blocks."""

    def __init__(
        self, topic: DeltaTopic, vector: Mapping[int, int], partitions: Collection[int], most_messages: int
    ) -> None:
        """Begins to read what lies at or above `vector` in these partitions, at most `most_messages`.

        Raises LogUnavailable and LogError.
        """
        self._vector = {partition: vector.get(partition, 0) for partition in partitions}
        starts = topic.starts(self._vector)
        self._extents = topic.extents(partitions)  # after them: what was removed meanwhile is not taken for read
        wanted = {p: _within(starts.get(p, extent.first), extent) for p, extent in self._extents.items()}
        begin = self._affordable(wanted, most_messages)
        # Nothing is missing where the topic is still whole, or holds what was published before the stream's vector.
        # Elsewhere the first delta that it holds will tell.
        self._unproven = {
            partition
            for partition, extent in self._extents.items()
            if begin[partition] > wanted[partition] or 0 < extent.first == wanted[partition]
        }
        self._in_use = threading.Lock()
        self._reading: Reading = topic.read(begin)

    @property
    def is_done(self) -> bool:
        """Whether everything below the ends was returned."""
        return not self._left()

    def read(self, seconds: float) -> Part:
        """Returns what arrives within `seconds`. Raises LogError."""
        with self._in_use:
            return self._part(self._reading.deltas(seconds))

    def close(self) -> None:
        """Ends the reading, after a `read` that is under way in another thread."""
        with self._in_use:
            self._reading.close()

    def _part(self, deltas: list[Delta]) -> Part:
        missing: list[Missing] = []
        for delta in deltas:
            missing += self._before(delta.position)
        left = self._left()
        missing += [Missing(partition, self._vector[partition], None) for partition in sorted(self._unproven - left)]
        self._unproven &= left
        return Part(missing, deltas)

    def _before(self, position: Position) -> list[Missing]:
        """Returns what is missing before a delta, if it is the first one of its partition."""
        partition, offset = position
        if partition not in self._unproven:
            return []
        self._unproven.discard(partition)
        first = self._vector[partition]
        return [Missing(partition, first, offset - 1)] if offset > first else []

    def _affordable(self, wanted: Mapping[int, int], most: int) -> dict[int, int]:
        """Returns the offsets to begin at: those wanted, or later ones where that were more than `most` messages."""
        if sum(extent.end - wanted[p] for p, extent in self._extents.items()) <= most:
            return dict(wanted)
        each = most // len(wanted)
        return {p: max(wanted[p], extent.end - each) for p, extent in self._extents.items()}

    def _left(self) -> set[int]:
        return {p for p, extent in self._extents.items() if not self._reading.is_past(p, extent.end)}


def _within(offset: int, extent: Extent) -> int:
    return min(max(offset, extent.first), extent.end)
