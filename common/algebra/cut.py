"""The cut: the boundary between the layers, as a value (R8)."""

from collections.abc import Mapping
from typing import Self

import msgspec


class Cut(msgspec.Struct, frozen=True):
    """`offsets[partition]`: the batch absorbed every record below it and none at or above it (half-open).

    A partition that is not named has the offset zero. The empty cut is the cut before the first batch.
    """

    offsets: dict[int, int]

    @classmethod
    def zero(cls) -> Self:
        return cls({})

    @classmethod
    def of(cls, offsets: Mapping[int, int]) -> Self:
        return cls(dict(sorted(offsets.items())))

    def __getitem__(self, partition: int) -> int:
        return self.offsets.get(partition, 0)

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.offsets.items())))

    def at_least(self, other: Self) -> Self:
        """Returns the greater offset of both in every partition."""
        partitions = {*self.offsets, *other.offsets}
        return self.of({partition: max(self[partition], other[partition]) for partition in partitions})

    def records_above(self, other: Self) -> int:
        """Returns how many offsets lie in [other, this cut), which are at least as many as there are records."""
        return sum(max(offset - other[partition], 0) for partition, offset in self.offsets.items())

    def covers(self, other: Self) -> bool:
        """Whether this cut is at or above `other` in every partition."""
        return all(self[partition] >= offset for partition, offset in other.offsets.items())
