"""Deltas without a hole below the last one: a quorum may see two replicas at two moments (R22)."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from serving_layer.read.cells import is_reset
from serving_layer.read.store import DeltaRow, SlotReused, Store

ATTEMPTS: Final = 4


async def whole_deltas(
    store: Store, customers: Collection[str], cut: int, complete_below: int
) -> Mapping[str, Sequence[DeltaRow]]:
    """The customers' deltas at or above `cut`, each customer's as they once were below some offset of the log.

    Every delta below `complete_below` was acknowledged before this call. Above it a read may be torn: the replica that
    answers early has not got a mutation yet, and the one that answers late has not got it either, but has the next.
    So where a delta was found up there, it is read again: what lies below that delta was acknowledged before it was
    written, so the second read has it. What is above it is left out, for it may be torn in turn. A reset in between
    deletes what the first read saw: then the second is the first of another pair. Raises SlotReused if that never ends.
    """
    found = dict(await store.deltas(customers, cut))
    uncertain = {customer: rows for customer, rows in found.items() if _last(rows) >= complete_below}
    for _ in range(ATTEMPTS):
        if not uncertain:
            return found
        later = await store.deltas(uncertain, cut)
        erased: dict[str, Sequence[DeltaRow]] = {}
        for customer, rows in uncertain.items():
            again, last = later.get(customer, ()), _last(rows)
            if any(offset > last and is_reset(text) for offset, text in again):
                erased[customer] = again
            else:
                found[customer] = sorted({*rows, *(row for row in again if row[0] <= last)})
        uncertain = erased
    raise SlotReused(f"customers were erased during each of {ATTEMPTS} reads")


def _last(rows: Sequence[DeltaRow]) -> int:
    return max(offset for offset, _ in rows)
