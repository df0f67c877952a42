"""Takes erased customers out of the rankings of all slots (R17, R24)."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from batch_layer.job import Job
from batch_layer.view import publish
from common.algebra.pointer import SLOTS, Published
from common.log.erasure import Erasure
from common.servers.patience import patiently
from common.tables import Tables


def remove(job: Job, of: Sequence[Erasure]) -> int:
    """Deletes the rows of erased customers, but for those of a batch whose cut is above the erasure; returns how many.

    A deletion has the timestamp of its row, so a row of a later batch stays. A ranking is then shorter by what went.
    Idempotent.
    """
    complete = {batch.batch_id: batch for batch in publish.read(job.session).complete}
    by_customer = {each.customer_id: each for each in of}
    deleted = 0
    for slot in SLOTS:
        doomed = patiently(partial(_doomed, job, slot, by_customer, complete), "reading the rankings")
        for row in doomed:
            _delete(job, slot, row)
        deleted += len(doomed)
    return deleted


def _doomed(job: Job, slot: str, of: Mapping[str, Erasure], complete: Mapping[int, Published]) -> list[Any]:
    # A ranking is not keyed by customer, so all of them are read: they are few and short beside the slot itself.
    rows: Iterator[Any] = iter(
        job.session.execute(f"SELECT metric, scope, member, customer_id, batch_id FROM {Tables.rankings(slot)}")
    )
    return [row for row in rows if _is_doomed(of.get(row.customer_id), complete.get(row.batch_id), slot)]


def _is_doomed(erasure: Erasure | None, batch: Published | None, slot: str) -> bool:
    if erasure is None:
        return False
    partition, offset = erasure.position
    return batch is None or batch.slot != slot or batch.plan.cut[partition] <= offset


def _delete(job: Job, slot: str, row: Any) -> None:
    statement = (
        f"DELETE FROM {Tables.rankings(slot)} USING TIMESTAMP %s "
        "WHERE metric = %s AND scope = %s AND member = %s AND customer_id = %s"
    )
    values = (row.batch_id, row.metric, row.scope, row.member, row.customer_id)
    patiently(partial(job.session.execute, statement, values), "erasing from a ranking")
