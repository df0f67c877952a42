"""The pointer: the one row that says which slot is read, at which cut, and who may write the others (R17, R20).

The transitions are pure; whoever applies one does so by compare-and-set of the whole row.
"""

from typing import Final

import msgspec

from common.algebra.cut import Cut
from common.errors import BatchError, ClaimLost

SLOTS: Final = ("a", "b", "c")
NAME: Final = "current"
"""The name of the one row in `batch_pointer`."""


class Plan(msgspec.Struct, frozen=True):
    """What a batch is computed from: everything that fixes its content."""

    snapshot: int
    cut: Cut
    logic_version: str
    validation_version: str


class Claim(msgspec.Struct, frozen=True):
    """The right to write one slot as one batch; anything different needs a new id."""

    batch_id: int
    slot: str
    plan: Plan


class Published(msgspec.Struct, frozen=True):
    """A complete batch in its slot."""

    batch_id: int
    slot: str
    plan: Plan
    published_at: int
    """Microseconds since the epoch, UTC."""
    rows: int
    """Customers in the slot: rows that carry the batch id."""
    checksum: str


class Pointer(msgspec.Struct, frozen=True):
    """The whole row. `complete` holds the batches that can be pointed at, the current one among them."""

    last_batch_id: int = 0
    current: int | None = None
    complete: tuple[Published, ...] = ()
    claims: tuple[Claim, ...] = ()

    @property
    def published(self) -> Published | None:
        """The batch that readers use; none means a cut of zero."""
        return next((batch for batch in self.complete if batch.batch_id == self.current), None)


def cut_of(published: Published | None) -> Cut:
    """The cut of a batch; zero where there is none."""
    return Cut.zero() if published is None else published.plan.cut


def claim(pointer: Pointer, plan: Plan) -> tuple[Pointer, Claim]:
    """The pointer with a slot claimed for `plan`, and the claim.

    An unfinished claim of the same plan is taken up again, under its id (R19). Any other claim is taken over: its
    holder cannot publish any more. The slot is one that neither the current nor the previous batch lies in.
    """
    for held in pointer.claims:
        if held.plan == plan:
            return pointer, held
    kept = {batch.slot for batch in _kept(pointer)}
    batch_id = pointer.last_batch_id + 1
    mine = Claim(batch_id, next(slot for slot in SLOTS if slot not in kept), plan)
    complete = tuple(batch for batch in pointer.complete if batch.slot != mine.slot)
    return Pointer(batch_id, pointer.current, complete, (mine,)), mine


def publish(pointer: Pointer, mine: Claim, *, published_at: int, rows: int, checksum: str) -> Pointer:
    """The pointer with the claimed slot as the current one. Raises ClaimLost if the claim is no longer held."""
    if mine not in pointer.claims:
        raise ClaimLost(f"batch {mine.batch_id} lost slot {mine.slot!r} to another run; the current view is unchanged")
    done = Published(mine.batch_id, mine.slot, mine.plan, published_at, rows, checksum)
    claims = tuple(held for held in pointer.claims if held != mine)
    return Pointer(pointer.last_batch_id, mine.batch_id, (*pointer.complete, done), claims)


def switch(pointer: Pointer, batch_id: int) -> Pointer:
    """The pointer with another complete batch as the current one: a rollback, or its undoing."""
    if all(batch.batch_id != batch_id for batch in pointer.complete):
        known = [batch.batch_id for batch in pointer.complete]
        raise BatchError(f"batch {batch_id} is in no slot; these are: {known}")
    return Pointer(pointer.last_batch_id, batch_id, pointer.complete, pointer.claims)


def encode(pointer: Pointer) -> str:
    """Compact JSON, the same text for equal pointers: what compare-and-set compares."""
    return msgspec.json.encode(pointer).decode()


def decode(text: str | None) -> Pointer:
    """The pointer in the row's text; no row is the pointer before the first batch."""
    return Pointer() if text is None else _POINTER.decode(text)


_POINTER: Final = msgspec.json.Decoder(Pointer)


def _kept(pointer: Pointer) -> list[Published]:
    """The current batch, and the latest other one: what a reader or a rollback may need."""
    others = sorted((b for b in pointer.complete if b.batch_id != pointer.current), key=lambda b: b.batch_id)
    current = [pointer.published] if pointer.published else []
    return [*current, *others[-1:]]
