"""Reads for one request by a kept pin: the slot's rows and the deltas, in flight together (R20, R22)."""

import asyncio
from asyncio import Future
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from common.algebra.marks import MARK_OFFSET
from common.progress import Progress
from serving_layer.read.deltas import settled
from serving_layer.read.pins import KeptPin
from serving_layer.read.reading import Reading, batch_side, by_partition, complete_below
from serving_layer.read.store import DeltaRow, Pin, SlotReused, StatementRefused, ViewStore

_NO_MARKS: Final[Mapping[str, str]] = {}


async def quick_read(store: ViewStore, kept: KeptPin, customers: Collection[str]) -> Reading | None:
    """Returns both layers' rows by the kept pin, or None where it cannot vouch for them: then `reading.read` does.

    An answer from it is that of a request of `reading.read` which was held up, for as long as the pin is old, between
    its read of progress and its other reads. Such a request may take any time, so each clause holds as it does there:

    1. *One pin* (R20). Slot, cut, generation and losses are those of one pointer row, read at one moment. An old
       pointer with its own cut is exact: its slot's rows carry the batch id. A row of a newer batch means that the slot
       was reused: None.
    2. *No claim beyond what is held* (R22). Progress was read before the deltas, so every delta below `complete_below`
       was readable when they were read. That is the offset which the answer names: at an old pin it claims less.
    3. *What is above that claim is read again.* A delta or a reset at or above `complete_below` may be torn (R11), and
       may have been decided by a validation version or written behind a loss that the pin does not know (R12, R15).
       So a customer with one has what two reads settle, as in `whole_deltas`; with the second, pointer and progress
       are read. The version and the loss stand in these before the delta is written, hence in what is read after the
       first read. Where they say anything else than the pin, or where a mark is found (R18): None, for all.
    4. *As fresh as ever.* The deltas are read now. Nothing that was acknowledged before this read changes the values
       that are answered: it is below `complete_below`, or not above the customer's last delta of this read.
    5. *Losses* (R15). A worker's progress is beyond an accepted loss only after the loss stood in the pointer, and the
       pin's pointer was read after its progress. Where the loss came later, the progress does not cover it.
    6. *Generation* (R13). Progress is that of the pointer's generation. Its tables stay until the next rebuild; if they
       are dropped, Cassandra refuses the statement: None.
    7. *Expiry* (R12). `from_offset` is right for an hour after its heartbeat, and an answer is degraded as `silent`
       if that heartbeat is older than `max_behind_seconds`, half an hour at most, when the answer is made. An old pin
       only looks older: the bound on its age adds nothing.
    8. *How late the speed layer is* is what the heartbeat said that the pin has. It is as old as the pin, and the
       bound on the pin's age bounds that.

    Raises StoreUnavailable if the store does not answer: to read everything would take it as long again.
    """
    pin = kept.pin
    members_of = by_partition(customers, pin.partitions)
    # Joined reads of one customer are futures already: both layers are in flight without a task for either.
    reads = [
        asyncio.ensure_future(store.deltas(pin.pointer.generation, members, pin.read_from(partition)))
        for partition, members in members_of.items()
    ]
    try:
        rows = await batch_side(store, pin.published, customers)
        found = [await each for each in reads]
    except (SlotReused, StatementRefused):
        return None
    finally:
        _let_go(reads)
    together = {customer: each for deltas in found for customer, each in deltas.items()}
    uncertain = dict[int, dict[str, Sequence[DeltaRow]]]()
    for partition, deltas in zip(members_of, found, strict=True):
        below = complete_below(kept.progress.get(partition), pin.cut[partition])
        if above := {customer: each for customer, each in deltas.items() if not is_vouched_for(each, below)}:
            uncertain[partition] = above
    if uncertain:
        certain = await _read_again(store, kept, uncertain)
        if certain is None:
            return None
        together |= certain
    return Reading(pin, rows, kept.progress, together, _NO_MARKS)


async def _read_again(
    store: ViewStore, kept: KeptPin, uncertain: Mapping[int, Mapping[str, Sequence[DeltaRow]]]
) -> dict[str, Sequence[DeltaRow]] | None:
    """Returns what a second read settles of these customers' deltas, by partition; None as in clause 3."""
    if any(_is_marked(rows) for members in uncertain.values() for rows in members.values()):
        return None
    pin = kept.pin
    generation = pin.pointer.generation
    reads = asyncio.gather(
        *(store.deltas(generation, members, pin.read_from(partition)) for partition, members in uncertain.items())
    )
    try:
        now, progress, later = await asyncio.gather(store.pin(), store.progress(generation, uncertain), reads)
    except StatementRefused:
        return None
    if not still_holds(kept, now, progress, uncertain):
        return None
    certain = dict[str, Sequence[DeltaRow]]()
    for members, again_of in zip(uncertain.values(), later, strict=True):
        for customer, rows in members.items():
            again = again_of.get(customer, ())
            both = None if _is_marked(again) else settled(rows, again)
            if both is None:
                return None
            certain[customer] = both
    return certain


def still_holds(kept: KeptPin, now: Pin, progress: Mapping[int, Progress], partitions: Collection[int]) -> bool:
    """Whether pointer, partition count and these partitions' versions are still what the kept pin has."""
    return now == kept.pin and _versions(progress, partitions) == _versions(kept.progress, partitions)


def _versions(progress: Mapping[int, Progress], partitions: Collection[int]) -> list[str | None]:
    """The versions that each partition's row names; None where it has no row."""
    return [None if row is None else row.validation_version for row in map(progress.get, partitions)]


def _is_marked(rows: Sequence[DeltaRow]) -> bool:
    return any(offset == MARK_OFFSET for offset, _ in rows)


def _let_go(reads: Iterable[Future[Any]]) -> None:
    """Cancels reads that nobody awaits any more, since another one failed; one that failed, too, is not reported."""
    for read in reads:
        if not read.cancel() and not read.cancelled():
            read.exception()


def is_vouched_for(rows: Sequence[DeltaRow], below: int) -> bool:
    """Whether all of these rows, marks included, are below the offset."""
    return all(offset < below for offset, _ in rows)
