"""The merge of both layers for one customer, all of it (R21). Pure: knows no store and no clock."""

from collections.abc import Sequence

import msgspec

from common.algebra.facts import Delta, Image
from common.algebra.measures import sum_of
from common.algebra.profile import KIND as PROFILE
from common.algebra.profile import CustomerProfile
from common.algebra.state import State
from common.algebra.view_row import ViewRow


class Merged(msgspec.Struct, frozen=True):
    """One customer's merged state and profile, and what they were merged from."""

    state: State
    image: Image | None
    """The current fact of the profile's kind, also a retracted one; None without one since the last reset."""
    known: bool
    """Whether the customer has a current fact since its last reset."""
    deltas: int
    """How many deltas were added up."""
    next_offset: int
    """The offset after the last delta at or above the cut, a reset included; 0 without any."""

    @property
    def profile(self) -> CustomerProfile | None:
        """The profile to answer with; None without one, or where it was retracted."""
        payload = None if self.image is None else self.image.payload
        return payload if isinstance(payload, CustomerProfile) else None


class Parts(msgspec.Struct, frozen=True):
    """What one customer's answer is added up from: what the merge leaves of the batch, and the deltas that it adds."""

    base: ViewRow | None
    """The batch's row; None without one, or where a reset at or above the cut forgets it."""
    live: Sequence[tuple[int, Delta]]
    """The deltas that count, each with its offset, in the order given."""
    reset: tuple[int, Delta] | None
    """The last reset at or above the cut, with its offset; None without one."""
    next_offset: int
    """The offset after the last delta at or above the cut, a reset included; 0 without any."""


def merge(batch: ViewRow | None, deltas: Sequence[tuple[int, Delta]], cut: int) -> Merged:
    """Returns one customer's merged state and profile, from its batch row and its deltas, each with its offset.

    1. Deltas below the cut are ignored: the batch absorbed them, resets among them (R8, R21).
    2. A reset at or above the cut forgets the batch's row and every delta below the reset (R24).
    3. The merged state is what is left of the batch, plus the values of the deltas that are left (R9).
    4. The profile is that of the last delta of its kind that is left, else the batch's (R5a).
    5. A customer is known if a batch row or a delta is left, even when they sum to zero.

    The deltas may be in any order. `cut` is the cut's offset in the customer's partition. Nothing is mutated.
    """
    return add_up(parts(batch, deltas, cut))


def parts(batch: ViewRow | None, deltas: Sequence[tuple[int, Delta]], cut: int) -> Parts:
    """Returns what `merge` adds up, by its steps 1 and 2, so that an explanation shows exactly that."""
    above = [(offset, delta) for offset, delta in deltas if offset >= cut]
    resets = [(offset, delta) for offset, delta in above if delta.is_reset]
    reset = max(resets, key=lambda each: each[0], default=None)
    return Parts(
        base=batch if reset is None else None,
        live=above if reset is None else [(offset, delta) for offset, delta in above if offset > reset[0]],
        reset=reset,
        next_offset=max((offset + 1 for offset, _ in above), default=0),
    )


def add_up(of: Parts) -> Merged:
    """Returns the merged state and profile, by the steps 3 to 5 of `merge`."""
    return Merged(
        state=_state(of.base, of.live),
        image=_image(of.base, of.live),
        known=of.base is not None or bool(of.live),
        deltas=len(of.live),
        next_offset=of.next_offset,
    )


def _state(base: ViewRow | None, live: Sequence[tuple[int, Delta]]) -> State:
    start = State({}) if base is None else base.state
    return sum_of(start, (delta for _, delta in live)) if live else start


def _image(base: ViewRow | None, live: Sequence[tuple[int, Delta]]) -> Image | None:
    profiles = {offset: delta for offset, delta in live if delta.kind == PROFILE}
    if profiles:
        return profiles[max(profiles)].after
    return None if base is None else base.profile
