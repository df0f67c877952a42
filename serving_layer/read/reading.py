"""Reads for one request: it pins a pointer, then reads both layers concurrently (R20, R22)."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec

from common.algebra.pointer import Published
from common.log.partition import partition_of
from common.progress import Progress
from serving_layer.read.deltas import Deltas, whole_deltas
from serving_layer.read.store import DeltaRow, Pin, SlotReused, SlotRow, ViewStore

PIN_ATTEMPTS: Final = 4
"""How often a request pins a pointer at most: once, and again whenever the pinned slot was reused meanwhile (R20)."""


class Reading(msgspec.Struct, frozen=True):
    """What was read from one pin. `rows` has only rows of the pinned batch."""

    pin: Pin
    rows: Mapping[str, SlotRow]
    progress: Mapping[int, Progress]
    deltas: Mapping[str, Sequence[DeltaRow]]
    marks: Mapping[str, str]
    """The cells of the marks of accepted drift, by customer (R18)."""


async def read(store: ViewStore, customers: Collection[str]) -> Reading:
    """Returns both layers' rows of those customers, from one pin.

    Raises SlotReused if the slot was reused during each of PIN_ATTEMPTS tries, StoreUnavailable if the store does not
    answer.
    """
    for _ in range(PIN_ATTEMPTS):
        pin = await store.pin()
        published = pin.published
        try:
            rows, (progress, found) = await asyncio.gather(
                batch_side(store, published, customers), _speed_side(store, pin, customers)
            )
        except SlotReused:
            continue
        return Reading(pin, rows, progress, found.rows, found.marks)
    raise SlotReused(
        f"the slot was overwritten during each of {PIN_ATTEMPTS} reads: batches are published faster than this is read"
    )


async def batch_side(
    store: ViewStore, published: Published | None, customers: Collection[str]
) -> Mapping[str, SlotRow]:
    """Returns the rows of the pinned batch. A row of an older batch counts as absent. Raises SlotReused for a newer."""
    if published is None:
        return {}
    rows = await store.slot_rows(published.slot, customers)
    newest = max((row.batch_id for row in rows.values()), default=0)
    if newest > published.batch_id:
        raise SlotReused(f"slot {published.slot!r} holds rows of batch {newest}, pinned was {published.batch_id}")
    return {customer: row for customer, row in rows.items() if row.batch_id == published.batch_id}


async def _speed_side(store: ViewStore, pin: Pin, customers: Collection[str]) -> tuple[Mapping[int, Progress], Deltas]:
    """Returns progress, the deltas at or above each partition's cut, and the marks beside them."""
    cut = pin.cut
    members_of = by_partition(customers, pin.partitions)
    # Progress is read first: all that it covers is then in the deltas (R22).
    generation = pin.pointer.generation
    progress = await store.progress(generation, members_of)
    found = await asyncio.gather(
        *(
            whole_deltas(
                store,
                generation,
                members,
                cut=pin.read_from(partition),
                complete_below=complete_below(progress.get(partition), cut[partition]),
            )
            for partition, members in members_of.items()
        )
    )
    rows = {customer: rows for each in found for customer, rows in each.rows.items()}
    marks = {customer: mark for each in found for customer, mark in each.marks.items()}
    return progress, Deltas(rows, marks)


def by_partition(customers: Collection[str], partitions: int) -> dict[int, list[str]]:
    """Returns the customers by their partition of the log; a partition without any is absent."""
    found: dict[int, list[str]] = {}
    for customer in customers:
        found.setdefault(partition_of(customer, partitions), []).append(customer)
    return found


def complete_below(progress: Progress | None, cut: int) -> int:
    """The offset below which every delta of the partition was readable when its progress was read."""
    return cut if progress is None else max(cut, progress.next_offset)
