"""Fans the deltas that a process follows out to its streams, and keeps the newest for those that are resumed. Pure."""

from collections import deque
from collections.abc import Collection, Mapping

from common.log.position import Position, spelled
from serving_layer.live.streams import Delta, Stream


class Fanout:
    """The streams of a process, and the vector of what it has followed.

    A delta that is published again is dropped. Its position alone tells: whoever publishes a position has published
    every lower one of its partition before (docs/topics.md), so a copy that comes for the first time lies above all
    before it.
    """

    def __init__(self, begin: Mapping[int, int | None], most_recent: int) -> None:
        """`begin` has every partition: 0 where nothing was published yet, None where it is not known how far that went,
        else an offset of the log that all of it lies below. At most `most_recent` deltas are kept.
        """
        self.vector = {partition: offset or 0 for partition, offset in sorted(begin.items())}
        """By partition, the offset of the log below which everything was followed."""
        self.repeats = 0
        self._floor = dict(begin)
        """By partition, the offset from which on everything is kept."""
        self._most_recent = most_recent
        self._recent: deque[Delta] = deque()
        self._streams: set[Stream] = set()

    def learn(self, position: Position) -> None:
        """Takes note of a delta that nobody is offered: what is kept begins above it."""
        partition, offset = position
        self.vector[partition] = max(offset + 1, self.vector[partition])
        self._floor[partition] = self.vector[partition]

    def publish(self, delta: Delta) -> None:
        """Offers a delta to every stream. They must come in the order of the topic."""
        partition, offset = delta.position
        if offset < self.vector[partition]:
            self.repeats += 1
            return
        if self._floor[partition] is None:
            self._floor[partition] = offset
        self.vector[partition] = offset + 1
        id_ = spelled(self.vector)
        for stream in self._streams:
            stream.offer(delta, None if self._is_ahead(stream) else id_)
        self._recent.append(delta)
        while len(self._recent) > self._most_recent:
            gone = self._recent.popleft().position
            self._floor[gone.partition] = gone.offset + 1

    def covers(self, vector: Mapping[int, int], partitions: Collection[int], *, is_read: bool = False) -> bool:
        """Returns whether everything at or above `vector` in these partitions is kept, or yet to come.

        `is_read` says that whoever is there has read the topic since this process began to follow it.
        """
        floors = ((self._floor[partition], vector.get(partition, 0)) for partition in partitions)
        return all(is_read if floor is None else floor <= offset for floor, offset in floors)

    def join(self, stream: Stream) -> None:
        """Offers what is kept, and from then on what is published. `covers` must be true of the stream's vector."""
        for delta in self._recent:
            stream.offer(delta, is_backlog=True)
        stream.jump(self.vector)
        stream.is_ahead = True
        self._streams.add(stream)

    def leave(self, stream: Stream) -> None:
        """Offers nothing to it any more. Idempotent."""
        self._streams.discard(stream)

    def _is_ahead(self, stream: Stream) -> bool:
        """Returns whether a stream is past more than this process, and has a vector of its own therefore."""
        # It was opened at another process, which was faster. Once it is level it stays so, and is asked no more.
        if stream.is_ahead:
            stream.is_ahead = any(offset > self.vector[partition] for partition, offset in stream.vector.items())
        return stream.is_ahead
