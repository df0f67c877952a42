"""Reads the stored views from Cassandra (R20): statements are prepared once, customers are read in chunks."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from cassandra import DriverException
from cassandra.cluster import Session
from cassandra.query import PreparedStatement

from common.algebra import pointer
from common.errors import CircuitOpen, PointerUnreadable, StoreUnavailable
from common.progress import Progress, select_progress
from common.servers.breaker import Breaker
from common.servers.cassandra import UNAVAILABLE, AsyncSession, in_one_page
from common.servers.off_loop import OffLoop
from common.settings import Settings
from common.tables import FIRST_GENERATION, Tables
from serving_layer.read.by_customer import ByCustomer
from serving_layer.read.cassandra_details import CassandraDetails
from serving_layer.read.store import DeltaRow, Pin, SlotRow, StatementRefused, TooManyDeltas
from serving_layer.read.together import Read, Row, Together

T = TypeVar("T")
CHUNK: Final = 32
"""Customers in one statement. One statement a customer cost the client five times the CPU (measured: 1121, not 201 us).

With many nodes, the coordinator of such a statement asks the other replicas: one hop more. Grouping the ids by replica
would save that hop. The statement for a single customer already goes to one of its replicas.
"""
_SLOT: Final = "SELECT customer_id, batch_id, state FROM {keyspace}.{view} WHERE customer_id {of}"
_DELTAS: Final = (
    "SELECT customer_id, kafka_offset, value FROM {keyspace}.{deltas} WHERE customer_id {of} AND kafka_offset >= ? "
    "PER PARTITION LIMIT {limit}"
)
_POINTER: Final = "SELECT value FROM {keyspace}.{tables.batch_pointer} WHERE name = ?"
_RUNS: Final = "SELECT manifest FROM {keyspace}.{tables.batches} WHERE name = ? PER PARTITION LIMIT ?"
_LOG: Final = "SELECT partitions FROM {keyspace}.{tables.log_identity} WHERE topic = ?"


class CassandraViewStore:
    """Implements `serving_layer.read.store.ViewStore` with one session, whose rows must be plain tuples."""

    def __init__(
        self,
        session: Session,
        settings: Settings,
        off_loop: OffLoop = asyncio.to_thread,
        breaker: Breaker | None = None,
        together: Together | None = None,
    ) -> None:
        """Prepares every statement but those of later generations, which are prepared at their first use.

        While `breaker` is open, no statement is sent. One that Cassandra refuses does not count: it answered. With
        `together`, reads of single customers are joined.

        Raises StoreUnavailable if a table is missing or the store does not answer.
        """
        self._session = AsyncSession(session, settings.serving.in_flight)
        self._breaker = breaker
        self._together = together
        self._topic = settings.log.topic
        self._keyspace = settings.cassandra.keyspace
        self._most_deltas = settings.serving.customer_deltas
        self._off_loop = off_loop
        self.details = CassandraDetails(self._session, self._keyspace, off_loop)
        self._deltas: dict[int, ByCustomer] = {}
        progress = select_progress(keyspace=self._keyspace)
        try:
            self._pointer = self._prepare(_POINTER)
            self._log = self._prepare(_LOG)
            self._runs = self._prepare(_RUNS)
            self._progress = self._prepare(f"{progress} AND kafka_partition IN ?")
            self._slots = {slot: self._by_customer_id(_SLOT, view=Tables.batch_view(slot)) for slot in pointer.SLOTS}
            self._prepare_deltas(FIRST_GENERATION)
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

    async def runs(self, most: int) -> Sequence[str]:
        return [manifest for (manifest,) in await self._rows(self._runs, (pointer.NAME, most))]

    async def progress(self, generation: int, partitions: Collection[int]) -> Mapping[int, Progress]:
        rows = await self._rows(self._progress, (generation, list(partitions)))
        found = map(Progress.of_row, rows)
        return {row.partition: row for row in found}

    async def slot_rows(self, slot: str, customers: Collection[str]) -> Mapping[str, SlotRow]:
        return await self._by_customer(self._slots[slot], customers, (), _slot_rows)

    def deltas(
        self, generation: int, customers: Collection[str], cut: int
    ) -> Awaitable[Mapping[str, Sequence[DeltaRow]]]:
        select = self._deltas.get(generation)
        if select is None:
            return self._deltas_of_another(generation, customers, cut)
        return self._by_customer(select, customers, (cut,), self._delta_rows)

    async def _deltas_of_another(
        self, generation: int, customers: Collection[str], cut: int
    ) -> Mapping[str, Sequence[DeltaRow]]:
        """Returns the deltas of a generation whose statement was not prepared yet."""
        select = await self._off_loop(partial(self._prepare_deltas, generation))
        return await self._by_customer(select, customers, (cut,), self._delta_rows)

    def _delta_rows(self, rows: Sequence[Row]) -> Mapping[str, Sequence[DeltaRow]]:
        deltas: dict[str, list[DeltaRow]] = {}
        for customer, offset, value in rows:
            deltas.setdefault(customer, []).append((offset, value))
        for customer, found in deltas.items():
            if len(found) > self._most_deltas:
                raise TooManyDeltas(customer, self._most_deltas)
        return deltas

    def _prepare(self, query: str, **parts: str) -> PreparedStatement:
        return self._session.driver.prepare(query.format(keyspace=self._keyspace, tables=Tables, **parts))

    def _by_customer_id(self, query: str, **parts: str) -> ByCustomer:
        """Returns the select in both forms, each answered in one page.

        The deltas' must be (R11). A statement with pages has Cassandra read the customers of an `IN` one after the
        other (its `MultiPartitionPager`); in one page it reads them at once. A slot has one row of each.
        """
        one, many = (in_one_page(self._prepare(query, of=of, **parts)) for of in ("= ?", "IN ?"))
        return ByCustomer(one, many)

    def _prepare_deltas(self, generation: int) -> ByCustomer:
        """Returns the select of a generation's deltas, and keeps it. Raises StatementRefused without the table."""
        try:
            made = self._by_customer_id(_DELTAS, deltas=Tables(generation).deltas, limit=str(self._most_deltas + 1))
        except (*UNAVAILABLE, DriverException) as error:
            refused = StoreUnavailable if isinstance(error, UNAVAILABLE) else StatementRefused
            raise refused(f"generation {generation} of the speed tables cannot be read: {error}") from error
        self._deltas[generation] = made
        return made

    def _by_customer(
        self,
        select: ByCustomer,
        customers: Collection[str],
        parameters: Sequence[object],
        made: Callable[[Sequence[Row]], T],
    ) -> Awaitable[T]:
        """Returns what `made` makes of the rows. A joined read of one customer has begun when this returns."""
        if len(customers) == 1 and self._together is not None:
            key, read = (select.one, parameters), self._read_of(select, parameters)
            return self._together.rows(key, read, next(iter(customers)), made)
        return self._of_many(select, list(customers), parameters, made)

    async def _of_many(
        self,
        select: ByCustomer,
        customers: list[str],
        parameters: Sequence[object],
        made: Callable[[Sequence[Row]], T],
    ) -> T:
        parts = (customers[start : start + CHUNK] for start in range(0, len(customers), CHUNK))
        found = await asyncio.gather(*(self._rows(*select.bind(part, parameters)) for part in parts))
        return made([row for rows in found for row in rows])

    def _read_of(self, select: ByCustomer, parameters: Sequence[object]) -> Read:
        return lambda customers: self._rows(*select.bind(customers, parameters))

    async def _rows(self, statement: PreparedStatement, parameters: Sequence[object]) -> list[Any]:
        """Returns all rows, of every page. Raises StatementRefused if Cassandra refuses the statement."""
        try:
            if self._breaker is None:
                return await self._session.fetch_all(statement, parameters)
            return await self._breaker.call(partial(self._session.fetch_all, statement, parameters))
        except CircuitOpen as error:
            raise StoreUnavailable(str(error)) from error
        except DriverException as error:
            # A statement that could be prepared and is refused now: a table was dropped or changed.
            raise StatementRefused(f"Cassandra refused the statement: {error}") from error


def _slot_rows(rows: Sequence[Row]) -> Mapping[str, SlotRow]:
    return {customer: SlotRow(batch_id, state or "") for customer, batch_id, state in rows}
