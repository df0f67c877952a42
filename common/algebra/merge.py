"""The merge of both layers for one customer: pure, and all of it is here (R21)."""

from collections.abc import Sequence
from dataclasses import dataclass

from common.algebra.facts import Delta
from common.algebra.measures import value
from common.algebra.state import State


@dataclass(frozen=True, slots=True)
class Merged:
    """One customer's merged state, and what it was made of."""

    state: State
    known: bool
    """Whether the customer has a current fact since its last reset."""
    deltas: int
    """How many deltas were added up."""
    next_offset: int
    """The offset after the last row at or above the cut, a reset included; 0 without any."""


def merge(batch: State | None, deltas: Sequence[tuple[int, Delta]], cut: int) -> Merged:
    """The state of a customer below the last offset of `deltas`, which may come in any order; `batch` is its row.

    1. Deltas below the cut are ignored: the batch absorbed them, resets among them (R8, R21).
    2. A reset at or above the cut forgets the batch state and every delta below the reset (R24).
    3. The merged state is what is left of the batch, plus the values of the deltas that are left (R9).
    4. A customer is known if a batch row or a delta is left, even when they sum to zero.

    `cut` is the one of the customer's partition. Nothing is mutated, and no clock is read.
    """
    above = [(offset, delta) for offset, delta in deltas if offset >= cut]
    reset = max((offset for offset, delta in above if delta.is_reset), default=None)
    live = [delta for offset, delta in above if reset is None or offset > reset]
    base = batch if reset is None else None
    return Merged(
        state=_plus(base, live),
        known=base is not None or bool(live),
        deltas=len(live),
        next_offset=max((offset + 1 for offset, _ in above), default=0),
    )


def _plus(base: State | None, deltas: Sequence[Delta]) -> State:
    start = State({}) if base is None else base
    return State.sum((start, *map(value, deltas))) if deltas else start
