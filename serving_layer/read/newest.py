"""Takes the newest messages of several partitions, of each of which only a window was read. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

_WIDER: Final = 2
"""A window holds so many offsets for each message that is wanted: transactions leave gaps in a partition."""


class Dated(Protocol):
    """A message: when it was published (milliseconds), and where it lies."""

    @property
    def published_at(self) -> int: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...


M = TypeVar("M", bound=Dated)


@dataclass(frozen=True, slots=True)
class Window:
    """The newest offsets [start, end) of a partition's range [low, end), for `wanted` messages."""

    partition: int
    low: int
    end: int
    wanted: int

    @property
    def start(self) -> int:
        return max(self.low, self.end - _WIDER * self.wanted)


def newest_first(windows: Sequence[Window], messages: Sequence[M], most: int) -> tuple[list[M], dict[int, int] | None]:
    """Returns the newest of the messages, at most `most`, and by partition the offset below which to go on.

    A message is taken only if nothing newer can lie below another partition's window. So there may be fewer than
    `most`, even none, and still more to come. There is nothing more if the second value is None.
    """
    horizon = max((_horizon(window, messages) for window in windows if window.start > window.low), default=0)
    ordered = sorted(messages, key=lambda each: (each.published_at, each.partition, each.offset), reverse=True)
    taken = [each for each in ordered if each.published_at >= horizon][:most]
    rest = {window.partition: _rest(window, messages, taken) for window in windows}
    is_left = any(rest[window.partition] > window.low for window in windows)
    return taken, rest if is_left else None


def _horizon(window: Window, messages: Sequence[M]) -> float:
    """What lies below the window was not published after this time; not known where the window was empty."""
    return min((each.published_at for each in messages if each.partition == window.partition), default=float("inf"))


def _rest(window: Window, messages: Sequence[M], taken: Sequence[M]) -> int:
    read = [each.offset for each in messages if each.partition == window.partition]
    mine = [each.offset for each in taken if each.partition == window.partition]
    if len(mine) == len(read):
        return window.start
    return min(mine, default=window.end)
