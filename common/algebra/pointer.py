"""The pointer: the one row that names the slot to read, its cut, and who may write the other slots (R17, R20).

Its changes are pure functions. Knows no store: the caller applies a change by compare-and-set of the whole row.

Releases that run beside each other read and write one row. A new field has a default, and the default is not written:
so an older release reads the row until the field is used. A release refuses a row with a field that it does not know,
since its next write would drop that field. Only a claim may lose one: its run then finds that it lost the claim.
"""

from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from common.algebra.cut import Cut
from common.errors import BatchError, ClaimLost, PointerUnreadable

SLOTS: Final = ("a", "b", "c")
NAME: Final = "current"
"""The name of the one row in `batch_pointer`."""


class Plan(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a batch is computed from, all of it: equal plans give equal batches."""

    snapshot: int
    cut: Cut
    logic_version: str
    validation_version: str


class Claim(msgspec.Struct, frozen=True, omit_defaults=True):
    """The right to write one slot as one batch; a different slot or plan needs a new batch id."""

    batch_id: int
    slot: str
    plan: Plan


class Published(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A complete batch in its slot."""

    batch_id: int
    slot: str
    plan: Plan
    published_at: int
    """Microseconds since the epoch, UTC."""
    rows: int
    """Customers in the slot, that is, rows that carry the batch id."""
    checksum: str


class Loss(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A range of offsets that neither Kafka nor the master holds, and that an operator accepted as lost (R15).

    The range is half-open: `from_offset` is lost, and `to_offset` is the first one that is not.
    """

    partition: int
    from_offset: int
    to_offset: int
    accepted_at: int
    """Microseconds since the epoch, UTC."""
    sent_again: bool = False
    """Whether an operator declared that the sources sent the range again; until then its answers are degraded."""


class Pointer(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The whole row. `current` is a batch id; `complete` holds that batch and the others that may become current."""

    last_batch_id: int = 0
    current: int | None = None
    complete: tuple[Published, ...] = ()
    claims: tuple[Claim, ...] = ()
    generation: int = 1
    """The speed tables to read and to write (R13). A rollback never changes it."""
    marked: bool = False
    """Whether any customer of this generation has a mark of accepted drift (R18)."""
    losses: tuple[Loss, ...] = ()
    generation_since: int = 0
    """Every delta of the generation was written at this moment or later; microseconds (UTC), 0 for the first one."""
    last_generation: int = 1
    """The greatest number that a generation was ever given; the tables of a killed rebuild may exist."""
    rebuilding: int | None = None
    """The generation that a rebuild is filling, and that only it may switch to."""

    @property
    def published(self) -> Published | None:
        """The batch that readers use; None before the first one, when the cut is zero."""
        return next((batch for batch in self.complete if batch.batch_id == self.current), None)


def cut_of(published: Published | None) -> Cut:
    """Returns the cut of a batch; the zero cut where there is no batch."""
    return Cut.zero() if published is None else published.plan.cut


def begin(pointer: Pointer) -> Pointer:
    """Returns the pointer after a run has begun: its batch id is `last_batch_id`, and no slot is claimed yet."""
    return replace(pointer, last_batch_id=pointer.last_batch_id + 1)


def claim(pointer: Pointer, plan: Plan, batch_id: int | None = None) -> tuple[Pointer, Claim]:
    """Returns the pointer with a slot claimed for `plan`, and the claim.

    An unfinished claim of the same plan is returned as it is, so that its batch is finished under its id (R19). Any
    other claim is dropped, and its holder can no longer publish. The slot claimed is neither the current batch's nor
    the previous one's.

    The claim's id is `batch_id`, which `begin` gave, or else a new one. Raises ClaimLost if a later run began since, or
    if a claim or a batch of that id has another plan: an older id must not write where a newer one may have written.
    """
    for held in pointer.claims:
        if held.plan == plan and batch_id in (None, held.batch_id):
            return pointer, held
    if batch_id is None:
        batch_id = pointer.last_batch_id + 1
    elif batch_id != pointer.last_batch_id:
        raise ClaimLost(f"batch {pointer.last_batch_id} began after batch {batch_id}; the current view is unchanged")
    elif batch_id in {*(held.batch_id for held in pointer.claims), *(batch.batch_id for batch in pointer.complete)}:
        raise ClaimLost(f"batch {batch_id} has another plan already; the current view is unchanged")
    kept = {batch.slot for batch in _kept(pointer)}
    mine = Claim(batch_id, next(slot for slot in SLOTS if slot not in kept), plan)
    complete = tuple(batch for batch in pointer.complete if batch.slot != mine.slot)
    return replace(pointer, last_batch_id=batch_id, complete=complete, claims=(mine,)), mine


def publish(
    pointer: Pointer, mine: Claim, *, published_at: int, rows: int, checksum: str, marked_in: int | None = None
) -> Pointer:
    """Returns the pointer with the claimed slot as the current one. Raises ClaimLost if the claim is no longer held.

    `marked_in` is the generation in which the batch's audit left marks of accepted drift (R18). They do not count in
    another generation, so if the pointer names another one by now, it says nothing of them.
    """
    if mine not in pointer.claims:
        raise ClaimLost(f"batch {mine.batch_id} lost slot {mine.slot!r} to another run; the current view is unchanged")
    done = Published(
        batch_id=mine.batch_id,
        slot=mine.slot,
        plan=mine.plan,
        published_at=published_at,
        rows=rows,
        checksum=checksum,
    )
    claims = tuple(held for held in pointer.claims if held != mine)
    marked = pointer.marked or marked_in == pointer.generation
    return replace(pointer, current=mine.batch_id, complete=(*pointer.complete, done), claims=claims, marked=marked)


def switch(pointer: Pointer, batch_id: int) -> Pointer:
    """Returns the pointer with another complete batch as the current one: a rollback, or the undoing of one.

    Raises BatchError if no slot holds that batch complete.
    """
    if all(batch.batch_id != batch_id for batch in pointer.complete):
        known = [batch.batch_id for batch in pointer.complete]
        raise BatchError(f"batch {batch_id} is in no slot; the batches in slots are {known}")
    return replace(pointer, current=batch_id)


def previous(pointer: Pointer) -> Published:
    """Returns the batch that a rollback goes back to: the latest in a slot that is older than the current one.

    Raises BatchError if there is none.
    """
    current = pointer.published
    older = [batch for batch in pointer.complete if current is not None and batch.batch_id < current.batch_id]
    if not older:
        known = [batch.batch_id for batch in pointer.complete]
        raise BatchError(f"no batch in a slot is older than the current one, {pointer.current}; in slots are {known}")
    return max(older, key=lambda batch: batch.batch_id)


def encode(pointer: Pointer) -> str:
    """Returns the row's text, which compare-and-set compares: compact JSON, the same text for equal pointers."""
    # The release before drops fields that it does not know. It can read no array, so it refuses this one.
    told: object = (_WITH_MORE, pointer) if _says_more(pointer) else pointer
    return msgspec.json.encode(told).decode()


def decode(text: str | None) -> Pointer:
    """Returns the pointer in the row's text; without a row, the pointer as it is before the first batch.

    Raises PointerUnreadable if a newer release wrote what this one does not know.
    """
    if text is None:
        return Pointer()
    try:
        found = _POINTER.decode(text)
    except msgspec.DecodeError as error:
        raise PointerUnreadable(
            f"the pointer row cannot be read by this release ({error}): a newer one wrote it. Use that release"
        ) from error
    return found if isinstance(found, Pointer) else found[1]


_WITH_MORE: Final = "pointer-2"
_POINTER: Final = msgspec.json.Decoder(Pointer | tuple[Literal["pointer-2"], Pointer])


def _says_more(pointer: Pointer) -> bool:
    """Whether the pointer has a value that releases which know neither generations nor losses would drop."""
    return pointer.last_generation != 1 or pointer.generation != 1 or pointer.marked or bool(pointer.losses)


def _kept(pointer: Pointer) -> list[Published]:
    """The batches whose slots are not claimed: the current one, for readers, and the latest other, for a rollback."""
    others = [batch for batch in pointer.complete if batch.batch_id != pointer.current]
    latest = max(others, key=lambda batch: batch.batch_id, default=None)
    return [batch for batch in (pointer.published, latest) if batch is not None]
