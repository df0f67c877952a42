"""The stored views in Cassandra (R20): prepared once, read by chunks of customers."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from cassandra import DriverException
from cassandra.cluster import Session
from cassandra.query import PreparedStatement

from common.algebra import pointer
from common.errors import StoreUnavailable
from common.servers.cassandra import UNAVAILABLE, AsyncStore, in_one_page
from common.settings import Settings
from common.tables import Tables
from serving_layer.read.store import DeltaRow, Pin, Progress, SlotRow

CHUNK: Final = 32
"""Customers in one statement: one for each cost five times the client's CPU (1121 against 201 us a customer, measured).

On many nodes such a statement's coordinator asks the other replicas itself: one hop more, none of it wrong. Grouping
the ids by replica would spare the hop; a single customer is sent to a replica already.
"""
_SLOT: Final = "SELECT customer_id, batch_id, state FROM {keyspace}.{view} WHERE customer_id {of}"
_DELTAS: Final = (
    "SELECT customer_id, kafka_offset, value FROM {keyspace}.{tables.deltas} "
    "WHERE customer_id {of} AND kafka_offset >= ?"
)
_PROGRESS: Final = (
    "SELECT kafka_partition, from_offset, next_offset, end_offset, validation_version, beat_at, caught_up_at "
    "FROM {keyspace}.{tables.progress} WHERE generation = ? AND kafka_partition IN ?"
)
_POINTER: Final = "SELECT value FROM {keyspace}.{tables.batch_pointer} WHERE name = ?"
_LOG: Final = "SELECT partitions FROM {keyspace}.{tables.log_identity} WHERE topic = ?"


class CassandraStore:
    """`serving_layer.read.store.Store` over one session, whose rows are plain tuples."""

    def __init__(self, session: Session, settings: Settings) -> None:
        """Prepares every statement. Raises StoreUnavailable if a table is missing or the store does not answer."""
        self._store = AsyncStore(session, settings.serving.in_flight)
        self._topic, self._generation = settings.log.topic, settings.speed.generation

        tables = Tables(self._generation)

        def prepare(query: str, **parts: str) -> PreparedStatement:
            return session.prepare(query.format(keyspace=settings.cassandra.keyspace, tables=tables, **parts))

        def by_customer(query: str, **parts: str) -> _ByCustomer:
            return _ByCustomer(prepare(query, of="= ?", **parts), prepare(query, of="IN ?", **parts))

        try:
            self._pointer, self._log, self._progress = map(prepare, (_POINTER, _LOG, _PROGRESS))
            self._slots = {slot: by_customer(_SLOT, view=tables.batch_view(slot)) for slot in pointer.SLOTS}
            self._deltas = _ByCustomer(*map(in_one_page, by_customer(_DELTAS)))
        except (*UNAVAILABLE, DriverException) as error:
            raise StoreUnavailable(f"the schema is not there, `lambda360 stack up` applies it: {error}") from error

    async def pin(self) -> Pin:
        """The pointer and the recorded log, now. Raises StoreUnavailable if no log was ever recorded."""
        pointers, logs = await asyncio.gather(
            self._rows(self._pointer, (pointer.NAME,)), self._rows(self._log, (self._topic,))
        )
        if not logs:
            raise StoreUnavailable(f"topic {self._topic!r} was never recorded; `lambda360 stack up` records it")
        try:
            found = pointer.decode(pointers[0][0] if pointers else None)
        except msgspec.DecodeError as error:
            raise StoreUnavailable(f"the pointer row cannot be read by this release: {error}") from error
        return Pin(found, logs[0][0])

    async def progress(self, partitions: Collection[int]) -> Mapping[int, Progress]:
        rows = await self._rows(self._progress, (self._generation, list(partitions)))
        return {row[0]: Progress(*row[1:]) for row in rows}

    async def slot_rows(self, slot: str, customers: Collection[str]) -> Mapping[str, SlotRow]:
        rows = await self._by_customer(self._slots[slot], customers)
        return {row[0]: SlotRow(row[1], row[2] or "") for row in rows}

    async def deltas(self, customers: Collection[str], cut: int) -> Mapping[str, Sequence[DeltaRow]]:
        deltas: dict[str, list[DeltaRow]] = {}
        for customer, offset, value in await self._by_customer(self._deltas, customers, cut):
            deltas.setdefault(customer, []).append((offset, value))
        return deltas

    async def _by_customer(self, select: "_ByCustomer", customers: Collection[str], *parameters: object) -> list[Any]:
        members = list(customers)
        parts = (members[start : start + CHUNK] for start in range(0, len(members), CHUNK))
        found = await asyncio.gather(*(self._rows(*select.bind(part, parameters)) for part in parts))
        return [row for rows in found for row in rows]

    async def _rows(self, statement: PreparedStatement, parameters: Sequence[object]) -> list[Any]:
        """All rows, of every page. A refused statement means a schema that is gone: the store is unavailable."""
        try:
            return await self._store.fetch_all(statement, parameters)
        except DriverException as error:
            raise StoreUnavailable(f"Cassandra refused the statement: {error}") from error


class _ByCustomer(NamedTuple):
    """A select by customer id in two forms: of one, which the driver sends to a replica itself, and of many."""

    one: PreparedStatement
    many: PreparedStatement

    def bind(self, part: list[str], parameters: Sequence[object]) -> tuple[PreparedStatement, Sequence[object]]:
        return (self.one, (part[0], *parameters)) if len(part) == 1 else (self.many, (part, *parameters))
