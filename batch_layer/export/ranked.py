"""Reads rankings through the pointer, as every reader must (R20, R24). Knows no Spark."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from cassandra.cluster import Session

from common.algebra.pointer import Pointer, Published
from common.algebra.rankings import Entry, Ranked, RankedSlot, RankingKey, in_order, newest_ranked
from common.errors import BatchError
from common.log.partition import partition_of
from common.servers.cassandra import in_one_page
from common.servers.patience import patiently
from common.speed_cql import MARKER
from common.tables import Tables


@dataclass(frozen=True, slots=True)
class Ranking:
    """A ranking of one batch, from its top. It is of the batch's day and knows no delta, as answers do."""

    batch_id: int
    as_of: date
    size: int
    """The most customers that it could hold."""
    entries: Sequence[Entry]


def read(session: Session, pointer: Pointer, key: RankingKey) -> Ranking:
    """Returns the ranking of the current batch or, while that has none yet, of the newest one before it that has.

    A row of an older batch counts as absent, and so does a customer who was erased at or above the batch's cut. Raises
    BatchError if no batch in a slot has its rankings, or if the slot was used again while it was read.
    """
    found = _complete(session, pointer)
    if found is None:
        raise BatchError("no batch has its rankings yet; `lambda360 batch run` makes them, or finishes their export")
    rows = patiently(lambda: _rows(session, found.batch, key), "reading a ranking")
    erased = patiently(lambda: _erased(session, pointer, found.batch, [row.customer_id for row in rows]), "erasures")
    return Ranking(
        batch_id=found.batch.batch_id,
        as_of=found.slot.as_of,
        size=found.slot.size,
        entries=in_order(row for row in rows if row.customer_id not in erased),
    )


def _complete(session: Session, pointer: Pointer) -> Ranked | None:
    select = f"SELECT slot, batch_id, as_of, size FROM {Tables.ranked_slots}"
    rows = patiently(lambda: list(session.execute(select)), "reading which slots are ranked")
    return newest_ranked(
        pointer, {row.slot: RankedSlot(batch_id=row.batch_id, as_of=row.as_of.date(), size=row.size) for row in rows}
    )


def _rows(session: Session, batch: Published, key: RankingKey) -> list[Entry]:
    select = (
        f"SELECT customer_id, batch_id, value FROM {Tables.rankings(batch.slot)} "
        "WHERE metric = %s AND scope = %s AND member = %s"
    )
    rows = session.execute(select, (key.metric, str(key.scope), key.member))
    entries = []
    for row in rows:
        if row.batch_id > batch.batch_id:  # it came with the deletion of what is older, so the ranking is not whole
            raise BatchError(f"batch {row.batch_id} replaced this ranking while it was read; run this again")
        if row.batch_id == batch.batch_id:
            entries.append(Entry(row.customer_id, row.value))
    return entries


def _erased(session: Session, pointer: Pointer, batch: Published, customers: Sequence[str]) -> frozenset[str]:
    """The customers whose reset marker is at or above the batch's cut: the batch knows nothing of their erasure."""
    if not customers:
        return frozenset()
    facts = Tables(pointer.generation).facts
    select = in_one_page(
        session.prepare(f"SELECT customer_id, value FROM {facts} WHERE customer_id IN ? AND kind = ? AND entity_id = ?")
    )
    cut = batch.plan.cut
    partitions = len(cut.offsets)
    rows = session.execute(select, (list(customers), *MARKER))
    return frozenset(
        row.customer_id for row in rows if int(row.value) >= cut[partition_of(row.customer_id, partitions)]
    )
