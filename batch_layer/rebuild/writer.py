"""Writes the rows of folded customers into the tables of a new generation. Knows no Spark."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from cassandra.cluster import Session
from cassandra.query import PreparedStatement

from batch_layer.view.fold import Folded
from batch_layer.view.in_flight import InFlight
from common import speed_cql
from common.algebra.facts import encode
from common.speed_cql import MARKER
from common.tables import Tables

BATCH_BYTES: Final = 30_000
"""The most bytes in one statement. Cassandra's default limit is 50 KiB."""
BATCH_ROWS: Final = 60
ROW_BYTES: Final = 100
"""The bytes of a row besides its cell and its ids, about."""


class Bound(NamedTuple):
    """A statement of one customer's partition, and about how many bytes it has."""

    statement: PreparedStatement
    values: tuple[object, ...]
    size: int


@dataclass(slots=True)
class _Group:
    rows: list[Bound] = field(default_factory=list)
    size: int = 0


class Writer:
    """Writes customers' rows in unlogged batches of rows that have the same replicas, `in_flight` of them at once."""

    def __init__(self, session: Session, tables: Tables, *, ttl_seconds: int, in_flight: int) -> None:
        self._ttl_seconds = ttl_seconds
        self._in_flight = InFlight(session, in_flight, "writing the new generation")
        self._fact = session.prepare(speed_cql.insert_fact(tables))
        self._delta = session.prepare(speed_cql.insert_delta(tables))
        self._reset = session.prepare(speed_cql.insert_reset(tables))
        self._deletes = [session.prepare(speed_cql.delete_all(table)) for table in (tables.facts, tables.deltas)]
        self._pending: defaultdict[tuple[str, ...], _Group] = defaultdict(_Group)

    def write(self, customer_id: str, rows: Folded) -> int:
        """Takes a customer's changed rows, and returns how many statements they are.

        They are acknowledged once `close` has returned. A fact is written with its delta or after it, so that whoever
        reads a fact of a killed run finds the delta stored, too. Raises StoreUnavailable for earlier rows.
        """
        first = [*self._erasing(customer_id, rows), *self._of_deltas(customer_id, rows)]
        facts = list(self._of_facts(customer_id, rows))
        if sum(row.size for row in (*first, *facts)) <= BATCH_BYTES and len(first) + len(facts) <= BATCH_ROWS:
            self._put(customer_id, [*first, *facts])
        else:
            for row in first:
                self._put(customer_id, [row])
            self.close()
            for row in facts:
                self._put(customer_id, [row])
        return len(first) + len(facts)

    def close(self) -> None:
        """Returns once every row is acknowledged. Raises StoreUnavailable if one is not, after retries."""
        for group in self._pending.values():
            self._send(group)
        self._pending.clear()
        self._in_flight.settle()

    def _erasing(self, customer_id: str, rows: Folded) -> Iterator[Bound]:
        if rows.reset is None or rows.reset_offset is None:
            return
        at = rows.reset_offset
        for statement in self._deletes:
            yield Bound(statement, (at - 1, customer_id), ROW_BYTES)
        yield Bound(self._fact, (customer_id, *MARKER, str(at), at), ROW_BYTES)
        cell = encode(rows.reset)
        yield Bound(self._reset, (customer_id, at, cell, at), len(cell) + ROW_BYTES)

    def _of_deltas(self, customer_id: str, rows: Folded) -> Iterator[Bound]:
        for offset, delta in rows.deltas:
            cell = encode(delta)
            yield Bound(self._delta, (customer_id, offset, cell, offset, self._ttl_seconds), len(cell) + ROW_BYTES)

    def _of_facts(self, customer_id: str, rows: Folded) -> Iterator[Bound]:
        for entity in sorted(rows.changed):
            fact = rows.facts[entity]
            cell = encode(fact)
            yield Bound(self._fact, (customer_id, *entity, cell, fact.offset), len(cell) + ROW_BYTES)

    def _put(self, customer_id: str, rows: list[Bound]) -> None:
        """Adds rows that must be one mutation to the group of their replicas."""
        owners = self._in_flight.owners(customer_id)
        size = sum(row.size for row in rows)
        group = self._pending[owners]
        if group.rows and (group.size + size > BATCH_BYTES or len(group.rows) + len(rows) > BATCH_ROWS):
            self._send(self._pending.pop(owners))
            group = self._pending[owners]
        group.rows += rows
        group.size += size

    def _send(self, group: _Group) -> None:
        self._in_flight.send((row.statement, row.values) for row in group.rows)
