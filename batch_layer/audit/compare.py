"""The audit's comparison of one customer: what is served, brought up to the new cut, with the new row (R18). Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

import msgspec

from common.algebra.facts import Delta, decode_delta
from common.algebra.marks import MARK_OFFSET
from common.algebra.merge import merge
from common.algebra.view_row import ViewRow

_RESET_HINT: Final = '"after":null'
"""Stands in the cell of every reset, so that the many other cells above the cut need not be decoded."""
Cell = tuple[int, str]
"""An offset and the cell as stored."""


class Verdict(Enum):
    """The result for one customer."""

    SAME = "same"
    RESET = "reset"
    """An erasure at or above the new cut deleted the deltas below it, so there is nothing to compare with."""
    DRIFT = "drift"


@dataclass(frozen=True, slots=True)
class Gathered:
    """One customer's cells: in the current slot (or its recomputation), in the new slot, and the deltas between."""

    customer: str
    base: str | None
    new: str | None
    deltas: Sequence[Cell]
    """Those at or above the least current cut, in any order; a mark's row may be among them."""


def compared(gathered: Gathered, cut: int, new_cut: int) -> Verdict:
    """Returns whether the base and the deltas in [cut, new_cut), merged as serving does, are the new row.

    `cut` and `new_cut` are the offsets of the current and of the new cut in the customer's partition. A cell that
    cannot be read is drift.
    """
    try:
        if is_reset_above(gathered.deltas, new_cut):
            return Verdict.RESET
        between = decoded(gathered.deltas, cut, new_cut)
        if not between and gathered.base == gathered.new:  # nearly all customers: no cell is decoded
            return Verdict.SAME
        merged = merge(row_of(gathered.base), between, cut)
        new = row_of(gathered.new)
    except msgspec.DecodeError:
        return Verdict.DRIFT
    if not merged.known or new is None:
        return Verdict.SAME if merged.known == (new is not None) else Verdict.DRIFT
    is_same = (merged.state, merged.image) == (new.state, new.profile)
    return Verdict.SAME if is_same else Verdict.DRIFT


def decoded(cells: Iterable[Cell], start: int, end: int) -> list[tuple[int, Delta]]:
    """Returns the deltas in [start, end). Raises msgspec.DecodeError for one that this release does not know."""
    return [(offset, decode_delta(text)) for offset, text in cells if start <= offset < end]


def is_reset_above(cells: Iterable[Cell], new_cut: int) -> bool:
    """Returns whether a reset is at or above the new cut. Raises msgspec.DecodeError."""
    return any(
        new_cut <= offset < MARK_OFFSET and _RESET_HINT in text and decode_delta(text).is_reset
        for offset, text in cells
    )


def row_of(text: str | None) -> ViewRow | None:
    """Returns a slot's row, None without one.

    Raises msgspec.DecodeError for a cell of another release, also for one with another number of measures.
    """
    return None if text is None else ViewRow.from_json(text)
