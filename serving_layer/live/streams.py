"""One client's stream of live deltas: what it asks for, where it is, and what waits for it. Pure: no client, no clock.

Where a stream is, and the id of each of its events, is a vector of source positions, `0:12,1:7`: by partition of the
log, the offset below which the stream is past everything. It advances with what a filter leaves out, too, so that a
stream that is resumed there reads nothing twice.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from common.log.copy_events import RESET, DeltaEvent
from common.log.position import Position, offsets_of, spelled

Name = Literal["delta", "reset", "gap", "dropped", "heartbeat"]


class Sent(NamedTuple):
    """An event as a client gets it: its name, the vector after it, and its data in JSON."""

    name: Name
    id: str
    data: str


@dataclass(frozen=True, slots=True)
class Delta:
    """A message of the topic of deltas on its way to the streams."""

    position: Position
    customer: str
    kind: str
    """Empty for a reset, which is of every kind."""
    name: Literal["delta", "reset"]
    body: str
    """The message as it stands in the topic."""

    @classmethod
    def of(cls, event: DeltaEvent, body: bytes) -> "Delta":
        name: Literal["delta", "reset"] = "reset" if event.type == RESET else "delta"
        return cls(event.data.position, event.subject, event.data.kind, name, body.decode())


@dataclass(frozen=True, slots=True)
class Wish:
    """Which deltas a client asks for. None means all."""

    customer: str | None = None
    kind: str | None = None

    def admits(self, delta: Delta) -> bool:
        if self.customer not in (None, delta.customer):
            return False
        return self.kind is None or not delta.kind or self.kind == delta.kind


class Stream:
    """What one client gets. Whoever follows the topic offers it every delta; the client's request takes its events."""

    def __init__(self, wish: Wish, most: int, wake: Callable[[], None] = lambda: None) -> None:
        """More than `most` waiting events end the stream. `wake` is called when something can be taken, or it ends."""
        self.wish = wish
        self.vector: dict[int, int] = {}
        """Where the stream is; a partition that is absent is at 0."""
        self.is_ahead = True
        """Whether it may be past more than the process that it joined; kept by who offers to it."""
        self.ended: str | None = None
        """Why nothing will be added any more; what waits can still be taken."""
        self._most = most
        self._wake = wake
        self._waiting: deque[Sent] = deque()
        self._backlog = 0
        """How many of those, the first ones, do not count."""
        self._id = ""

    @property
    def id(self) -> str:
        """The vector of all that was offered, or of what was added where the stream has ended.

        It is the client's own once nothing waits.
        """
        return self._id

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting

    def offer(self, delta: Delta, id_: str | None = None, *, is_backlog: bool = False) -> None:
        """Adds the delta, unless the stream is past it, or it is not asked for.

        `id_` spells the vector after the delta, where the caller knows it. A backlog does not count as waiting.
        """
        if self.ended is not None or not self._passes(delta.position):
            return
        sent_id = spelled(self.vector) if id_ is None else id_
        if self.wish.admits(delta):
            self._backlog += is_backlog
            if len(self._waiting) - self._backlog >= self._most:
                self.end(f"the client reads too slowly: {len(self._waiting)} events wait for it")
                return
            self._waiting.append(Sent(delta.name, sent_id, delta.body))
            self._wake()
        self._id = sent_id

    def jump(self, vector: Mapping[int, int]) -> None:
        """The stream is past everything below `vector`, too."""
        ahead = {partition: max(offset, self.vector.get(partition, 0)) for partition, offset in vector.items()}
        self.vector = dict(sorted({**self.vector, **ahead}.items()))
        self._id = spelled(self.vector)

    def take(self) -> Sent | None:
        """Returns the event that waits longest; None if none does."""
        if not self._waiting:
            return None
        self._backlog = max(0, self._backlog - 1)
        return self._waiting.popleft()

    def end(self, reason: str) -> None:
        """Adds nothing from now on. The first reason stays."""
        if self.ended is None:
            self.ended = reason
            self._wake()

    def _passes(self, position: Position) -> bool:
        """Returns whether the stream was not past a position. It is now."""
        partition, offset = position
        if offset < self.vector.get(partition, 0):
            return False
        self.vector[partition] = offset + 1
        return True


def vector_of(text: str) -> dict[int, int]:
    """Returns the vector that an id spells. Raises ValueError for any other text, and for a partition named twice."""
    found = offsets_of(text)
    if len(found) != text.count(",") + 1:
        raise ValueError("a partition is named once")
    return found
