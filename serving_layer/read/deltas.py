"""Reads deltas so that none is missing below the last one, although a quorum read may be torn (R22)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from common.algebra.marks import MARK_OFFSET
from serving_layer.read.cells import is_reset
from serving_layer.read.store import DeltaRow, SlotReused, ViewStore

ATTEMPTS: Final = 4


@dataclass(frozen=True, slots=True)
class Deltas:
    """The rows by customer, and the cells of the customers' marks of accepted drift (R18)."""

    rows: Mapping[str, Sequence[DeltaRow]]
    marks: Mapping[str, str]


async def whole_deltas(
    store: ViewStore, generation: int, customers: Collection[str], *, cut: int, complete_below: int
) -> Deltas:
    """Returns the customers' deltas at or above `cut`: for each customer, all that the log left below some offset.

    They are those of one generation of the speed tables (R13).

    Every delta below `complete_below` was acknowledged before this call. Above it one read may be torn: it has a delta
    and lacks the one before. That happens if one replica answered before the first of them was written, and the other
    replica has only the second. So every customer with a delta at or above `complete_below` is read again:

    1. The deltas below the last one of the first read were acknowledged before that one was written. The second read
       has them all, and they are merged with those of the first.
    2. What the second read has above that last one is left out: it may be torn, too.
    3. If a reset is among what lies above, it deleted deltas that the first read saw. The second read then counts as
       the first, and the customer is read again.

    A mark is no delta: it is set aside. A customer's mark is that of its last read, since a reset deletes it.

    Raises SlotReused if a customer was reset during each of ATTEMPTS reads.
    """
    marks: dict[str, str] = {}
    found = await _read(store, generation, customers, cut, marks)
    uncertain = {customer: rows for customer, rows in found.items() if _last(rows) >= complete_below}
    for _ in range(ATTEMPTS):
        if not uncertain:
            return Deltas(found, marks)
        later = await _read(store, generation, uncertain, cut, marks)
        erased: dict[str, Sequence[DeltaRow]] = {}
        for customer, rows in uncertain.items():
            again = later.get(customer, ())
            both = settled(rows, again)
            if both is None:
                erased[customer] = again
            else:
                found[customer] = both
        uncertain = erased
    raise SlotReused(f"customers were erased during each of {ATTEMPTS} reads")


def settled(rows: Sequence[DeltaRow], again: Sequence[DeltaRow]) -> list[DeltaRow] | None:
    """Returns a customer's deltas from two reads, the second begun after the first: all up to the last of the first.

    None if the second has a reset above that one, which deleted deltas that the first saw. Neither has a mark, and the
    first is not empty.
    """
    last = _last(rows)
    if any(offset > last and is_reset(text) for offset, text in again):
        return None
    return sorted({*rows, *((offset, text) for offset, text in again if offset <= last)})


async def _read(
    store: ViewStore, generation: int, customers: Collection[str], cut: int, marks: dict[str, str]
) -> dict[str, Sequence[DeltaRow]]:
    """Returns the customers' deltas, and keeps in `marks` which of them have a mark now."""
    found: dict[str, Sequence[DeltaRow]] = {}
    for customer in customers:
        marks.pop(customer, None)
    for customer, rows in (await store.deltas(generation, customers, cut)).items():
        cells = dict(rows)
        if MARK_OFFSET in cells:
            marks[customer] = cells.pop(MARK_OFFSET)
        if cells:
            found[customer] = list(cells.items())
    return found


def _last(rows: Sequence[DeltaRow]) -> int:
    return max(offset for offset, _ in rows)
