"""Kept pins, broken on purpose: each mutant forgets one clause of `serving_layer.read.quick` (R20, R22)."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from common.algebra.marks import MARK_OFFSET
from common.algebra.pointer import Published, cut_of
from common.log.partition import partition_of
from serving_layer.answer import answers
from serving_layer.read import pins, quick
from serving_layer.read.pins import KeptPin, PinKeeper
from serving_layer.read.reading import Reading, complete_below
from serving_layer.read.store import DeltaRow, Pin, SlotRow, ViewStore

Patch = tuple[Any, str, Any]
Rows = Mapping[str, Sequence[DeltaRow]]


def vouch_for_all(*_: object) -> bool:
    """What lies above the pin's progress is answered like anything else."""
    return True


def never_too_old(keeper: PinKeeper) -> KeptPin | None:
    """A pin is used however old it is."""
    return keeper._last


async def whatever_batch(store: ViewStore, published: Published | None, customers: Collection[str]) -> Any:
    """A row of a newer batch counts as absent, too."""
    rows: Mapping[str, SlotRow] = {} if published is None else await store.slot_rows(published.slot, customers)
    return {name: row for name, row in rows.items() if published is not None and row.batch_id == published.batch_id}


class Filtered:
    """A store whose deltas lack some rows."""

    def __init__(self, store: ViewStore, is_left: Callable[[str, int], bool]) -> None:
        self._store, self._is_left = store, is_left

    async def slot_rows(self, slot: str, customers: Collection[str]) -> Mapping[str, SlotRow]:
        return await self._store.slot_rows(slot, customers)

    async def deltas(self, generation: int, customers: Collection[str], cut: int) -> Rows:
        found = await self._store.deltas(generation, customers, cut)
        return {name: [row for row in rows if self._is_left(name, row[0])] for name, rows in found.items()}


async def leave_out_what_is_above(store: ViewStore, pin: KeptPin, customers: Collection[str]) -> Reading | None:
    """Deltas above the pin's progress are left out: right at the offset that is named, and not fresh."""
    cut = cut_of(pin.pin.pointer.published)

    def is_left(customer: str, offset: int) -> bool:
        partition = partition_of(customer, pin.pin.partitions)
        return offset == MARK_OFFSET or offset < complete_below(pin.progress.get(partition), cut[partition])

    filtered: Any = Filtered(store, is_left)
    return await QUICK(filtered, pin, customers)


async def overlook_marks(store: ViewStore, pin: KeptPin, customers: Collection[str]) -> Reading | None:
    """A mark of accepted drift is no reason to look closer."""
    filtered: Any = Filtered(store, lambda _, offset: offset != MARK_OFFSET)
    return await QUICK(filtered, pin, customers)


async def progress_after_the_deltas(store: ViewStore, pin: KeptPin, customers: Collection[str]) -> Reading | None:
    """The answer names the progress of after its reads, as if they had seen all of it."""
    found = await QUICK(store, pin, customers)
    if found is None:
        return None
    pointer = pin.pin.pointer
    return replace(found, progress=await store.progress(pointer.generation, range(pin.pin.partitions)))


async def pointer_first(store: ViewStore, seconds: Callable[[], float], _: Pin) -> KeptPin:
    """The pointer is read before progress."""
    taken_at, pin = seconds(), await store.pin()
    return KeptPin(pin, await store.progress(pin.pointer.generation, range(pin.partitions)), taken_at)


def first_alone(rows: Sequence[DeltaRow], again: Sequence[DeltaRow]) -> list[DeltaRow]:
    """What the second read has is not looked at."""
    return list(rows)


QUICK = quick.quick_read
POINTER_FIRST: Final = "the pointer of a kept pin is read before its progress"
REUSED: Final = "a kept pin does not notice that its slot was reused"
TOO_OLD: Final = "a kept pin is used however old it is"
FIRST_READ: Final = "of deltas above a kept pin's progress the first read is taken"
HOLDS: Final = "a kept pin is taken to hold whatever was read since"
LATE_PROGRESS: Final = "a kept pin's progress is read after the deltas"
RARE: Final = frozenset({POINTER_FIRST, HOLDS, FIRST_READ, REUSED, TOO_OLD, LATE_PROGRESS})
"""A history of test_histories.py shows each, but for FIRST_READ, which test_serving_quick.py shows. Of the first two no
seed does, since no worker passes a gap; one seed in 200 shows the third, and one in a hundred the last two."""

MUTANTS: Final[Mapping[str, Sequence[Patch]]] = {
    "a kept pin vouches for deltas above its progress": [(quick, "is_vouched_for", vouch_for_all)],
    FIRST_READ: [(quick, "settled", first_alone)],
    HOLDS: [(quick, "still_holds", vouch_for_all)],
    TOO_OLD: [(PinKeeper, "young", never_too_old)],
    REUSED: [(quick, "batch_side", whatever_batch)],
    "a kept pin has the progress of another generation": [(pins, "is_of_one_generation", vouch_for_all)],
    "deltas above a kept pin's progress are left out": [(answers, "quick_read", leave_out_what_is_above)],
    "a kept pin overlooks marks": [(answers, "quick_read", overlook_marks)],
    LATE_PROGRESS: [(answers, "quick_read", progress_after_the_deltas)],
    POINTER_FIRST: [(pins, "take", pointer_first)],
}
FOCUS: Final = {
    **dict.fromkeys(MUTANTS, "kept"),
    "a kept pin overlooks marks": "tampering",
    "a kept pin has the progress of another generation": "rebuilds",
}
