"""Takes the rows of erased customers out of the slots, and out of the figures of the batches in them (R17, R24)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Final

import structlog
from msgspec.structs import replace

from batch_layer.job import Job
from batch_layer.view import publish
from batch_layer.view.digest import Digest, of_row, total
from batch_layer.view.verify import read_back
from common.algebra.pointer import SLOTS, Claim, Pointer, Published
from common.log.erasure import Erasure
from common.servers.patience import patiently
from common.tables import Tables

log = structlog.get_logger(__name__)
AT_ONCE: Final = 100
"""Customers in one request."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a slot that has to go."""

    slot: str
    customer_id: str
    batch_id: int
    state: str


def remove(job: Job, of: Sequence[Erasure]) -> int:
    """Deletes the slots' rows of erased customers, but for those of a batch whose cut is above the erasure.

    Returns how many. A deletion has the timestamp of its row, so a row of a later batch stays. Before it, rows and
    checksum of the batch in the pointer are lowered by what goes: the pointer then describes the slot as it will be,
    and `verify` finds it so. Idempotent: killed in between, the slot's own digest tells whether they were lowered.
    """
    complete = {batch.batch_id: batch for batch in publish.read(job.session).complete}
    rows = [row for slot in SLOTS for row in _rows(job, slot, of, complete)]
    for batch in complete.values():
        _lower(job, batch, [row for row in rows if (row.slot, row.batch_id) == (batch.slot, batch.batch_id)])
    for row in rows:
        _delete(job, row)
    return len(rows)


def _rows(job: Job, slot: str, of: Sequence[Erasure], complete: Mapping[int, Published]) -> Iterator[Row]:
    select = job.session.prepare(
        f"SELECT customer_id, batch_id, state FROM {Tables.batch_view(slot)} WHERE customer_id IN ?"
    )
    by_customer = {each.customer_id: each for each in of}
    waiting = iter(by_customer)
    while some := list(islice(waiting, AT_ONCE)):
        for row in patiently(partial(_read, job, select, some), "reading the slots"):
            batch = complete.get(row.batch_id)
            position = by_customer[row.customer_id].position
            if batch is None or batch.slot != slot or batch.plan.cut[position.partition] <= position.offset:
                yield Row(slot, row.customer_id, row.batch_id, row.state or "")


def _read(job: Job, select: Any, customers: list[str]) -> list[Any]:
    return list(job.session.execute(select, (customers,)))


def _lower(job: Job, batch: Published, rows: Sequence[Row]) -> None:
    if not rows:
        return
    going = total(of_row(row.customer_id, row.state) for row in rows)
    held = read_back(job, Claim(batch.batch_id, batch.slot, batch.plan))
    before = Digest.of(batch.checksum, batch.rows)
    if held != before:
        if before + going != held:
            log.warning("slot differs", slot=batch.slot, batch=batch.batch_id, action="left for `batch verify`")
        return
    after = before - going

    def change(pointer: Pointer) -> Pointer:
        lowered = (
            replace(each, rows=after.rows, checksum=after.checksum) if each == batch else each
            for each in pointer.complete
        )
        return replace(pointer, complete=tuple(lowered))

    publish.transition(job.session, change)


def _delete(job: Job, row: Row) -> None:
    statement = f"DELETE FROM {Tables.batch_view(row.slot)} USING TIMESTAMP %s WHERE customer_id = %s"
    patiently(lambda: job.session.execute(statement, (row.batch_id, row.customer_id)), "erasing from a slot")
