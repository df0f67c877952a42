"""Portions of a sequence that bound what is on its way at once."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def portions(items: Sequence[T], weight: Callable[[T], int], most: int, most_bytes: int) -> Iterator[Sequence[T]]:
    """The items in their order, at most `most` at once, and of at most `most_bytes` unless a single one has more."""
    portion: list[T] = []
    size = 0
    for item in items:
        own = weight(item)
        if portion and (len(portion) >= most or size + own > most_bytes):
            yield portion
            portion, size = [], 0
        portion.append(item)
        size += own
    if portion:
        yield portion
