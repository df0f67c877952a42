"""The end of a run: offsets that an operator names, a moment, or all that is committed, resolved to a cut once."""

from collections.abc import Mapping

from common.algebra.cut import Cut
from common.errors import UsageError
from common.log.position import Position
from common.servers import kafka
from common.settings import Settings

Until = tuple[Position, ...] | int
"""Positions, at most one a partition, or a moment in microseconds since the epoch (UTC)."""


def resolved(settings: Settings, until: Until, ends: Cut, current: Cut) -> Cut:
    """Returns the cut that `until` names: at most `ends`, the last stable offsets, and at least `current`.

    A moment means the first offset that was appended at or after it. A partition that is not named ends at its end.
    Raises UsageError for a partition that the log has not, an offset beyond its end, or a cut below `current`.
    """
    if isinstance(until, int):
        at = kafka.offsets_at(settings, len(ends.offsets), until)
        return _not_below(Cut.of({p: min(at[p], end) for p, end in ends.offsets.items()}), current)
    return _not_below(Cut.of({**ends.offsets, **_named(until, ends.offsets)}), current)


def _named(positions: tuple[Position, ...], ends: Mapping[int, int]) -> dict[int, int]:
    named: dict[int, int] = {}
    for position in positions:
        if position.partition not in ends:
            raise UsageError("--until", str(position), f"a partition of the log, 0 to {len(ends) - 1}")
        if position.partition in named:
            raise UsageError("--until", str(position), "one offset for a partition")
        if position.offset > ends[position.partition]:
            end = Position(position.partition, ends[position.partition])
            raise UsageError("--until", str(position), f"at most the last stable offset, {end}")
        named[position.partition] = position.offset
    return named


def _not_below(cut: Cut, current: Cut) -> Cut:
    for partition, offset in current.offsets.items():
        if cut[partition] < offset:
            below = Position(partition, cut[partition])
            at = Position(partition, offset)
            rule = f"not below the current batch's cut, {at}; `lambda360 batch rollback` goes back to an earlier batch"
            raise UsageError("--until", str(below), rule)
    return cut
