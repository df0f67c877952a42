"""Splits a sequence into portions of bounded size."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def portions(items: Sequence[T], weight: Callable[[T], int], most: int, most_bytes: int) -> Iterator[Sequence[T]]:
    """Yields the items, in order, in portions of at most `most` items and `most_bytes` bytes.

    A single item with more bytes is a portion of its own.
    """
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
