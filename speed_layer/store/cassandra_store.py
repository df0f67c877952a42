"""Facts, deltas and alerts in Cassandra: each write and delete at its log offset's timestamp (R11)."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, Final

from cassandra.query import BatchStatement, BatchType, BoundStatement, PreparedStatement

from common.algebra.alerts import decode_alert
from common.algebra.facts import decode_delta, decode_fact
from common.servers.cassandra import AsyncSession, in_one_page
from common.servers.retry import Retry
from common.speed_cql import MARKER
from common.tables import Tables
from speed_layer.apply.known import EVERY_KIND, Known
from speed_layer.apply.rows import EntityKey, Mutation, Stored
from speed_layer.store.grouped import Grouped
from speed_layer.store.statements import Statements

FEW: Final = 64
"""Up to so many facts are read whole when a customer is first applied. Then absent entities are known, too."""
GROUP: Final = 20
"""The most customers in one statement."""
GROUP_BYTES: Final = 30_000
"""The most bytes of several customers' mutations in one statement. Cassandra's default limit is 50 KiB."""
OFFSETS: Final = 100
"""The most offsets that one statement reads."""


class CassandraFactStore:
    """The `FactStore` of `apply`; `delta_ttl_seconds` is how long a delta lives."""

    def __init__(self, session: AsyncSession, retry: Retry, tables: Tables, delta_ttl_seconds: int) -> None:
        self._session, self._retry = session, retry
        self._statements = Statements(session.driver, tables, delta_ttl_seconds)
        self._few = Grouped(self._fetch_few, most=GROUP, max_size=GROUP_BYTES)
        self._batches = Grouped(self._write_batch, most=GROUP, max_size=GROUP_BYTES)

        def prepare(query: str) -> PreparedStatement:
            return in_one_page(session.driver.prepare(query))

        self._read_few = prepare(
            f"SELECT customer_id, kind, entity_id, value FROM {tables.facts} "
            "WHERE customer_id IN ? PER PARTITION LIMIT ?"
        )
        self._read_some = prepare(
            f"SELECT kind, entity_id, value FROM {tables.facts} WHERE customer_id = ? AND (kind, entity_id) IN ?"
        )
        self._read_kind = prepare(
            f"SELECT kind, entity_id, value FROM {tables.facts} WHERE customer_id = ? AND kind IN ?"
        )
        self._read_deltas = prepare(
            f"SELECT kafka_offset, value FROM {tables.deltas} WHERE customer_id = ? AND kafka_offset IN ?"
        )
        self._read_alerts = prepare(
            f"SELECT kafka_offset, value FROM {tables.alerts} WHERE customer_id = ? AND kafka_offset IN ?"
        )

    async def read(
        self, customer_id: str, entities: Collection[EntityKey], kinds: Collection[str], *, whole: bool
    ) -> Known:
        """See `FactStore`: a share of one statement, or that and others for a customer with more than a few facts."""
        if whole:
            rows = await self._few.ask(customer_id)
            if len(rows) <= FEW:
                return _known(rows, (), EVERY_KIND)
        rows = await self._execute(self._read_some.bind((customer_id, [MARKER, *entities])))
        if kinds:
            rows = [*rows, *await self._execute(self._read_kind.bind((customer_id, list(kinds))))]
        return _known(rows, entities, kinds)

    async def rows(self, customer_id: str, offsets: Collection[int]) -> Sequence[Stored]:
        """See `FactStore`: two statements for each hundred offsets."""
        deltas, alerts = dict[int, str](), defaultdict[int, list[str]](list)
        wanted = list(offsets)
        for start in range(0, len(wanted), OFFSETS):
            some = customer_id, wanted[start : start + OFFSETS]
            deltas.update(await self._execute(self._read_deltas.bind(some)))
            for offset, alert in await self._execute(self._read_alerts.bind(some)):
                alerts[offset].append(alert)
        return [
            Stored(offset, decode_delta(delta), tuple(map(decode_alert, alerts[offset])))
            for offset, delta in sorted(deltas.items())
        ]

    async def write(self, customer_id: str, mutation: Mutation) -> None:
        """See `FactStore`: one partition key's statements of an unlogged batch, so atomic; written until acknowledged.

        The batch may hold other customers' mutations, each of them atomic, if they lie on the same replica.
        """
        statements, size = self._statements.of(customer_id, mutation)
        await self._batches.ask(statements, bucket=self._replica(customer_id), size=size)

    def _replica(self, customer_id: str) -> object:
        metadata, keyspace = self._session.driver.cluster.metadata, self._session.driver.keyspace
        if len(metadata.all_hosts()) < 2:
            return None
        return next(iter(metadata.get_replicas(keyspace, customer_id.encode())), None)

    async def _write_batch(self, mutations: Sequence[list[BoundStatement]]) -> Sequence[None]:
        batch = BatchStatement(batch_type=BatchType.UNLOGGED)
        for statements in mutations:
            for statement in statements:
                batch.add(statement)
        await self._execute(batch)
        return [None] * len(mutations)

    async def _fetch_few(self, customers: Sequence[str]) -> Sequence[list[Any]]:
        found: defaultdict[str, list[Any]] = defaultdict(list)
        for customer_id, *row in await self._execute(self._read_few.bind((list(customers), FEW + 1))):
            found[customer_id].append(row)
        return [found[customer_id] for customer_id in customers]

    async def _execute(self, statement: BoundStatement | BatchStatement) -> list[Any]:
        return await self._retry.until_done(lambda: self._session.execute(statement))


def _known(rows: list[Any], entities: Collection[EntityKey], complete: Collection[str]) -> Known:
    known = Known(facts=dict.fromkeys(entities), complete=frozenset(complete))
    for kind, entity_id, value in rows:
        if (kind, entity_id) == MARKER:
            known.reset_offset = int(value)
        else:
            known.facts[kind, entity_id] = decode_fact(value)
    known.facts = {key: fact if fact and not known.erased(fact.offset) else None for key, fact in known.facts.items()}
    return known
