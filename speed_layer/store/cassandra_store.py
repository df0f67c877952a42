"""Facts, deltas and alerts in Cassandra: each write and delete at its log offset's timestamp (R11)."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from cassandra.query import BatchStatement, BatchType, BoundStatement, PreparedStatement

from common.algebra.alerts import decode_alert
from common.algebra.facts import decode_delta, decode_fact
from common.portions import portions
from common.servers.cassandra import AsyncSession, in_one_page
from common.servers.retry import Retry
from common.speed_cql import MARKER
from common.tables import Tables
from speed_layer.apply.known import EVERY_KIND, Known
from speed_layer.apply.ports import Wanted
from speed_layer.apply.rows import EntityKey, Mutation, Stored
from speed_layer.store.statements import Statements

FEW: Final = 64
"""Up to so many facts are read whole when a customer is first applied. Then absent entities are known, too."""
GROUP: Final = 20
"""The most customers in one statement: most of a small request's cost is the client's cost a statement.

Measured: ten customers' mutations in one statement take a quarter of the CPU of ten statements.
"""
GROUP_BYTES: Final = 30_000
"""The most bytes of several customers' mutations in one statement. Cassandra's default limit is 50 KiB."""
OFFSETS: Final = 100
"""The most offsets that one statement reads."""


class CassandraFactStore:
    """The `FactStore` of `apply`; `delta_ttl_seconds` is how long a delta lives."""

    def __init__(self, session: AsyncSession, retry: Retry, tables: Tables, delta_ttl_seconds: int) -> None:
        self._session, self._retry = session, retry
        self._statements = Statements(session.driver, tables, delta_ttl_seconds)

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

    def groups(self, customers: Iterable[str]) -> Iterable[Sequence[str]]:
        """See `FactStore`: at most GROUP customers, of one replica."""
        by_replica = defaultdict[object, list[str]](list)
        for customer in customers:
            by_replica[self._replica(customer)].append(customer)
        for group in by_replica.values():
            yield from (group[start : start + GROUP] for start in range(0, len(group), GROUP))

    async def read(self, wanted: Sequence[Wanted]) -> Sequence[Known]:
        """See `FactStore`: one statement for all that are wanted whole, and others for those with more than FEW facts.

        And for those of which only some facts are wanted.
        """
        few = await self._fetch_few([each.customer_id for each in wanted if each.whole])
        others = [each for each in wanted if not each.whole or len(few.get(each.customer_id, ())) > FEW]
        read = await asyncio.gather(*map(self._read, others))
        found = {each.customer_id: known for each, known in zip(others, read, strict=True)}
        names = (each.customer_id for each in wanted)
        return [found.get(name) or _known(few.get(name, ()), (), EVERY_KIND) for name in names]

    async def _read(self, wanted: Wanted) -> Known:
        customer_id, entities, kinds, _ = wanted
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

    async def write(self, mutations: Sequence[tuple[str, Mutation]]) -> None:
        """See `FactStore`: unlogged batches, in which one partition key's statements are atomic.

        A batch holds mutations of up to GROUP_BYTES bytes, or a single larger one, and is written until acknowledged.
        """
        made = [self._statements.of(customer_id, mutation) for customer_id, mutation in mutations]
        batches = list(portions(made, itemgetter(1), GROUP, GROUP_BYTES))
        if len(batches) == 1:
            await self._write_batch(batches[0])
        else:
            await asyncio.gather(*map(self._write_batch, batches))

    def _replica(self, customer_id: str) -> object:
        metadata, keyspace = self._session.driver.cluster.metadata, self._session.driver.keyspace
        if len(metadata.all_hosts()) < 2:
            return None
        return next(iter(metadata.get_replicas(keyspace, customer_id.encode())), None)

    async def _write_batch(self, mutations: Sequence[tuple[list[BoundStatement], int]]) -> None:
        batch = BatchStatement(batch_type=BatchType.UNLOGGED)
        for statements, _ in mutations:
            for statement in statements:
                batch.add(statement)
        await self._execute(batch)

    async def _fetch_few(self, customers: list[str]) -> Mapping[str, Sequence[Any]]:
        """Returns the customers' rows of facts, FEW + 1 of each at most. A customer without any is absent."""
        found: defaultdict[str, list[Any]] = defaultdict(list)
        if customers:
            for customer_id, *row in await self._execute(self._read_few.bind((customers, FEW + 1))):
                found[customer_id].append(row)
        return found

    async def _execute(self, statement: BoundStatement | BatchStatement) -> list[Any]:
        return await self._retry.until_done(lambda: self._session.execute(statement))


def _known(rows: Sequence[Any], entities: Collection[EntityKey], complete: Collection[str]) -> Known:
    known = Known(facts=dict.fromkeys(entities), complete=frozenset(complete))
    for kind, entity_id, value in rows:
        if (kind, entity_id) == MARKER:
            known.reset_offset = int(value)
        else:
            known.facts[kind, entity_id] = decode_fact(value)
    known.facts = {key: fact if fact and not known.erased(fact.offset) else None for key, fact in known.facts.items()}
    return known
