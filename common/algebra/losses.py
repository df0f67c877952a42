"""Losses: ranges of the log that nobody holds any more, accepted by an operator by name (R15). Pure."""

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, Self

from msgspec.structs import replace

from common.algebra.pointer import Loss, Pointer
from common.errors import UsageError

RULE: Final = "PARTITION:FROM:TO, three whole numbers with FROM below TO, such as 0:1200:1300; TO is the first one held"
_SPELLING: Final = re.compile(r"([0-9]{1,9}):([0-9]{1,18}):([0-9]{1,18})")


class Range(NamedTuple):
    """Offsets of one partition, from `start` to before `end`; spelled `0:1200:1300`."""

    partition: int
    start: int
    end: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Inverse of `str`. Raises ValueError, whose text is `RULE`."""
        found = _SPELLING.fullmatch(text)
        if found is None or int(found[2]) >= int(found[3]):
            raise ValueError(RULE)
        return cls(int(found[1]), int(found[2]), int(found[3]))

    @classmethod
    def of(cls, loss: Loss) -> Self:
        return cls(loss.partition, loss.from_offset, loss.to_offset)

    def __str__(self) -> str:
        return f"{self.partition}:{self.start}:{self.end}"

    def holds(self, partition: int, offset: int) -> bool:
        """Whether the offset of that partition lies in the range."""
        return partition == self.partition and self.start <= offset < self.end


def uncovered(wanted: Range, accepted: Iterable[Range]) -> list[Range]:
    """Returns the parts of `wanted` that no accepted range holds, in order."""
    missing: list[Range] = []
    start = wanted.start
    for each in sorted(each for each in accepted if each.partition == wanted.partition):
        if each.start > start:
            missing.append(wanted._replace(start=start, end=min(each.start, wanted.end)))
        start = max(start, each.end)
        if start >= wanted.end:
            return [part for part in missing if part.start < part.end]
    return [part for part in (*missing, wanted._replace(start=start)) if part.start < part.end]


def ranges_of(pointer: Pointer) -> list[Range]:
    """Returns every range that was accepted, whether or not it was sent again."""
    return [Range.of(loss) for loss in pointer.losses]


def accept(pointer: Pointer, ranges: Sequence[Range], at: int) -> Pointer:
    """Returns the pointer with these ranges as losses, accepted at `at` (microseconds, UTC). Idempotent."""
    known = ranges_of(pointer)
    new = [
        Loss(partition=each.partition, from_offset=each.start, to_offset=each.end, accepted_at=at)
        for each in dict.fromkeys(ranges)
        if each not in known
    ]
    return replace(pointer, losses=(*pointer.losses, *new)) if new else pointer


def declare_sent(pointer: Pointer, sent: Range) -> Pointer:
    """Returns the pointer with the loss as sent again. Idempotent. Raises UsageError if no such loss was accepted."""
    if sent not in ranges_of(pointer):
        known = ", ".join(map(str, ranges_of(pointer))) or "none"
        raise UsageError(
            "PARTITION:FROM:TO", str(sent), f"a range that was accepted as lost, whole; there are: {known}"
        )
    losses = tuple(replace(loss, sent_again=True) if Range.of(loss) == sent else loss for loss in pointer.losses)
    return replace(pointer, losses=losses)
