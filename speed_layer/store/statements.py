"""The statements of a mutation: every write and delete at its log offset's timestamp (R11)."""

from collections.abc import Iterator
from struct import Struct
from typing import Final

from cassandra.cluster import Session
from cassandra.query import BoundStatement, PreparedStatement

from common import speed_cql
from common.algebra.alerts import encode_alert, rule_of
from common.algebra.facts import encode
from common.speed_cql import MARKER
from common.tables import Tables
from speed_layer.apply.rows import Change, Mutation, Reset

ROW_BYTES: Final = 100
"""The bytes of a row besides its texts, about."""
bigint: Final = Struct(">q").pack
"""Encodes a value of Cassandra's type bigint for the wire."""
int4: Final = Struct(">i").pack


def bound(statement: PreparedStatement, *values: bytes) -> BoundStatement:
    """Returns the statement bound to values that are encoded for the wire, in the order of its markers.

    The driver's `bind` looks up each column's type again: four fifths of the CPU cost of a mutation's statements.
    """
    made = BoundStatement(statement)
    made.values = list(values)
    return made


class Statements:
    """The bound statements of a mutation, for one batch. A delta lives for `delta_ttl_seconds`."""

    def __init__(self, session: Session, tables: Tables, delta_ttl_seconds: int) -> None:
        self._ttl, prepare = int4(delta_ttl_seconds), session.prepare
        self._fact = prepare(speed_cql.insert_fact(tables))
        self._delta = prepare(speed_cql.insert_delta(tables))
        self._reset_delta = prepare(speed_cql.insert_reset(tables))
        self._alert = prepare(
            f"INSERT INTO {tables.alerts} (customer_id, kafka_offset, rule, value) "
            "VALUES (?, ?, ?, ?) USING TIMESTAMP ?"
        )
        self._delete_alerts = prepare(speed_cql.delete_all(tables.alerts))
        self._delete_facts = prepare(speed_cql.delete_all(tables.facts))
        self._delete_deltas = prepare(speed_cql.delete_all(tables.deltas))

    def of(self, customer_id: str, mutation: Mutation) -> tuple[list[BoundStatement], int]:
        """Returns the statements, all of the customer's partition key, and about how many bytes they hold."""
        if isinstance(mutation, Reset):
            return list(self._reset(customer_id, mutation)), 5 * ROW_BYTES
        statements: list[BoundStatement] = []
        size = sum(self._add(statements, customer_id, change) for change in mutation)
        return statements, size

    def _add(self, statements: list[BoundStatement], customer_id: str, change: Change) -> int:
        key, at = customer_id.encode(), bigint(change.fact.offset)
        kind, entity_id = change.entity
        fact, delta = encode(change.fact).encode(), encode(change.delta).encode()
        statements.append(bound(self._fact, key, kind.encode(), entity_id.encode(), fact, at))
        statements.append(bound(self._delta, key, at, delta, at, self._ttl))
        size = len(fact) + len(delta) + 2 * (len(customer_id) + ROW_BYTES)
        for alert in change.alerts:
            text = encode_alert(alert).encode()
            statements.append(bound(self._alert, key, at, rule_of(alert).encode(), text, at))
            size += len(text) + len(customer_id) + ROW_BYTES
        return size

    def _reset(self, customer_id: str, reset: Reset) -> Iterator[BoundStatement]:
        at = reset.offset
        yield self._delete_facts.bind((at - 1, customer_id))
        yield self._delete_deltas.bind((at - 1, customer_id))
        yield self._delete_alerts.bind((at - 1, customer_id))
        yield self._fact.bind((customer_id, *MARKER, str(at), at))
        yield self._reset_delta.bind((customer_id, at, encode(reset.delta), at))
