"""A position in the log: a partition and an offset, spelled `3:120` wherever one is shown, typed, stored or sent."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple, Self

RULE: Final = "PARTITION:OFFSET, two whole numbers, such as 0:1200"
_SPELLING: Final = re.compile(r"([0-9]{1,9}):([0-9]{1,18})")


class Position(NamedTuple):
    """Where a record lies: ordered by partition, then by offset."""

    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Returns the position that `text` spells, leading zeros allowed. Raises ValueError, whose text is `RULE`."""
        found = _SPELLING.fullmatch(text)
        if found is None:
            raise ValueError(RULE)
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


def spelled(offsets: Mapping[int, int]) -> str:
    """Returns offsets by partition, such as a cut's, as one word: `0:17,1:9`; empty where there are none."""
    return ",".join(str(Position(partition, offset)) for partition, offset in offsets.items())


def offsets_of(text: str) -> dict[int, int]:
    """Inverse of `spelled`. Raises ValueError, whose text is `RULE`."""
    return dict(Position.parse(part) for part in text.split(",")) if text else {}
