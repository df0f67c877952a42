"""Reads what the speed tables still hold of a lost range: current facts, and erasures (R15)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
from cassandra.cluster import Session
from cassandra.query import SimpleStatement

from common.algebra.facts import decode_fact
from common.algebra.losses import Range
from common.log.partition import partition_of
from common.servers import pointer_row
from common.speed_cql import MARKER
from common.tables import Tables
from infra.operate.losses.records import Held

PAGE_ROWS = 1000
Row = tuple[str, str, str, str]
"""A stored fact: customer id, kind, entity id, and the cell."""


@dataclass(slots=True)
class Found:
    """What the speed tables hold of some ranges."""

    facts: list[Held] = field(default_factory=list)
    """In the order of partition and offset."""
    erased: list[str] = field(default_factory=list)
    """The customers whose erasure lies in a range."""
    unreadable: int = 0
    """Facts of these partitions that another release wrote, and that this one cannot read."""


def held_of(session: Session, ranges: Sequence[Range], partitions: int) -> Found:
    """Returns the current facts of the served generation whose records lie in `ranges`; reads the whole table.

    Raises StoreUnavailable, or UNAVAILABLE errors of the driver, if Cassandra does not answer.
    """
    return held_in(_rows(session), ranges, partitions)


def held_in(rows: Iterable[Row], ranges: Sequence[Range], partitions: int) -> Found:
    """Returns what lies in `ranges` of these rows of facts: those of every customer."""
    found = Found()
    placed: list[tuple[int, int, Held]] = []
    for customer_id, kind, entity_id, value in rows:
        partition = partition_of(customer_id, partitions)
        of_partition = [each for each in ranges if each.partition == partition]
        if not of_partition:
            continue
        is_reset = (kind, entity_id) == MARKER
        try:
            fact = None if is_reset else decode_fact(value)
        except msgspec.DecodeError:
            found.unreadable += 1
            continue
        offset = int(value) if fact is None else fact.offset
        if not any(each.holds(partition, offset) for each in of_partition):
            continue
        if fact is None:
            found.erased.append(customer_id)
        else:
            placed.append((partition, offset, Held(customer_id, kind, entity_id, fact)))
    found.facts = [held for _, _, held in sorted(placed, key=lambda each: each[:2])]
    return found


def _rows(session: Session) -> Iterator[Row]:
    # Each row is one cell of one fact, so pages may be read at different moments.
    tables = Tables(pointer_row.read(session).generation)
    select = SimpleStatement(f"SELECT customer_id, kind, entity_id, value FROM {tables.facts}", fetch_size=PAGE_ROWS)
    for row in session.execute(select):
        yield row.customer_id, row.kind, row.entity_id, row.value
