"""Leaves the marks of accepted drift (R18): rows among the deltas of one generation. Knows no rule of acceptance."""

from collections.abc import Mapping, Sequence
from functools import partial

from cassandra.cluster import Session

from common.algebra.cut import Cut
from common.algebra.marks import MARK_OFFSET, Mark, encode_mark, timestamp_of
from common.log.partition import partition_of
from common.servers.patience import patiently
from common.speed_cql import insert_reset
from common.tables import Tables


def mark(session: Session, generation: int, batch_id: int, cut: Cut, accepted: Mapping[str, Sequence[str]]) -> None:
    """Marks the customers, each with the classes of its drift, as of the new batch's `cut`. Idempotent.

    A mark lives until the generation's tables are dropped, or until an erasure at or above the cut. Every write in the
    speed tables has a log offset as its timestamp, and so has this one (R11).
    """
    partitions = len(cut.offsets)
    insert = session.prepare(insert_reset(Tables(generation)))  # likewise a row that never expires
    for customer, classes in accepted.items():
        value = encode_mark(Mark(accepted_drift=batch_id, classes=tuple(classes)))
        at = timestamp_of(cut[partition_of(customer, partitions)])
        patiently(partial(session.execute, insert, (customer, MARK_OFFSET, value, at)), "marking a customer")
