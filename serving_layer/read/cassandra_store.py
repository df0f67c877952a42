"""Reads the stored views from Cassandra (R20): statements are prepared once, customers are read in chunks."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from cassandra import DriverException
from cassandra.cluster import Session
from cassandra.query import PreparedStatement

from common.algebra import pointer
from common.errors import PointerUnreadable, StoreUnavailable
from common.progress import Progress, select_progress
from common.servers.cassandra import UNAVAILABLE, AsyncSession, in_one_page
from common.settings import Settings
from common.tables import Tables
from serving_layer.read.store import DeltaRow, Pin, SlotRow

CHUNK: Final = 32
"""Customers in one statement. One statement a customer cost the client five times the CPU (measured: 1121, not 201 us).

With many nodes, the coordinator of such a statement asks the other replicas: one hop more. Grouping the ids by replica
would save that hop. The statement for a single customer already goes to one of its replicas.
"""
_SLOT: Final = "SELECT customer_id, batch_id, state FROM {keyspace}.{view} WHERE customer_id {of}"
_DELTAS: Final = (
    "SELECT customer_id, kafka_offset, value FROM {keyspace}.{tables.deltas} "
    "WHERE customer_id {of} AND kafka_offset >= ?"
)
_POINTER: Final = "SELECT value FROM {keyspace}.{tables.batch_pointer} WHERE name = ?"
_LOG: Final = "SELECT partitions FROM {keyspace}.{tables.log_identity} WHERE topic = ?"


class CassandraViewStore:
    """Implements `serving_layer.read.store.ViewStore` with one session, whose rows must be plain tuples."""

    def __init__(self, session: Session, settings: Settings) -> None:
        """Prepares every statement. Raises StoreUnavailable if a table is missing or the store does not answer."""
        self._session = AsyncSession(session, settings.serving.in_flight)
        self._topic = settings.log.topic
        self._generation = settings.speed.generation
        tables = Tables(self._generation)
        progress = select_progress(keyspace=settings.cassandra.keyspace)

        def prepare(query: str, **parts: str) -> PreparedStatement:
            return session.prepare(query.format(keyspace=settings.cassandra.keyspace, tables=tables, **parts))

        def by_customer(query: str, **parts: str) -> _ByCustomer:
            return _ByCustomer(one=prepare(query, of="= ?", **parts), many=prepare(query, of="IN ?", **parts))

        try:
            self._pointer = prepare(_POINTER)
            self._log = prepare(_LOG)
            self._progress = prepare(f"{progress} AND kafka_partition IN ?")
            self._slots = {slot: by_customer(_SLOT, view=tables.batch_view(slot)) for slot in pointer.SLOTS}
            deltas = by_customer(_DELTAS)
            self._deltas = _ByCustomer(one=in_one_page(deltas.one), many=in_one_page(deltas.many))
        except (*UNAVAILABLE, DriverException) as error:
            raise StoreUnavailable(f"the schema is not there, `lambda360 schema apply` applies it: {error}") from error

    async def pin(self) -> Pin:
        """Implements `ViewStore.pin`. Raises StoreUnavailable also if the topic was never recorded."""
        pointers, logs = await asyncio.gather(
            self._rows(self._pointer, (pointer.NAME,)), self._rows(self._log, (self._topic,))
        )
        if not logs:
            raise StoreUnavailable(f"topic {self._topic!r} was never recorded; `lambda360 schema apply` records it")
        [(partitions,)] = logs
        [(value,)] = pointers or [(None,)]
        try:
            return Pin(pointer.decode(value), partitions)
        except PointerUnreadable as error:
            raise StoreUnavailable(str(error)) from error

    async def progress(self, partitions: Collection[int]) -> Mapping[int, Progress]:
        rows = await self._rows(self._progress, (self._generation, list(partitions)))
        found = map(Progress.of_row, rows)
        return {row.partition: row for row in found}

    async def slot_rows(self, slot: str, customers: Collection[str]) -> Mapping[str, SlotRow]:
        rows = await self._by_customer(self._slots[slot], customers)
        return {customer: SlotRow(batch_id, state or "") for customer, batch_id, state in rows}

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
        """Returns all rows, of every page. Raises StoreUnavailable also if Cassandra refuses the statement."""
        try:
            return await self._session.fetch_all(statement, parameters)
        except DriverException as error:
            # A statement that could be prepared and is refused now: a table was dropped or changed.
            raise StoreUnavailable(f"Cassandra refused the statement: {error}") from error


class _ByCustomer(NamedTuple):
    """One select by customer id in two forms: for one customer, which the driver sends to a replica, and for many."""

    one: PreparedStatement
    many: PreparedStatement

    def bind(self, customers: list[str], parameters: Sequence[object]) -> tuple[PreparedStatement, Sequence[object]]:
        """Returns the form for so many customers, and its parameters. `customers` must not be empty."""
        if len(customers) == 1:
            return self.one, (*customers, *parameters)
        return self.many, (customers, *parameters)
