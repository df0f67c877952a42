"""Implements `serving_layer.read.details` with Cassandra. A statement is prepared when it is used first."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any, Final, TypeVar

from cassandra import DriverException
from cassandra.query import PreparedStatement

from common.algebra.rankings import Entry, RankedSlot, RankingKey
from common.errors import StoreUnavailable
from common.servers import rollback
from common.servers.cassandra import UNAVAILABLE, AsyncSession, in_one_page
from common.servers.off_loop import OffLoop
from common.servers.rollback import Rollback
from common.speed_cql import MARKER
from common.tables import Tables
from serving_layer.read.details import AlertRow, FactRow, RankingRow, WishedRollback

T = TypeVar("T")
_IDS: Final = 100
"""Ids or offsets in one statement, at most."""
_FACTS: Final = (
    "SELECT kind, entity_id, value FROM {facts} WHERE customer_id = ? AND (kind, entity_id) > (?, ?) LIMIT ?"
)
_OF_KIND: Final = (
    "SELECT kind, entity_id, value FROM {facts} WHERE customer_id = ? AND kind = ? AND entity_id > ? LIMIT ?"
)
_RESETS: Final = "SELECT customer_id, value FROM {facts} WHERE customer_id IN ? AND kind = ? AND entity_id = ?"
_DELTAS: Final = "SELECT kafka_offset, value FROM {deltas} WHERE customer_id = ? AND kafka_offset IN ?"
_ALERTS: Final = (
    "SELECT kafka_offset, rule, value FROM {alerts} WHERE customer_id = ? AND (kafka_offset, rule) < (?, ?) "
    "ORDER BY kafka_offset DESC, rule DESC LIMIT ?"
)
_RANKED: Final = "SELECT slot, batch_id, as_of, size FROM {ranked_slots}"
_RANKING: Final = "SELECT batch_id, customer_id, value FROM {rankings} WHERE metric = ? AND scope = ? AND member = ?"


class CassandraDetails:
    """Implements `DetailStore` with one session, whose rows must be plain tuples."""

    def __init__(self, session: AsyncSession, keyspace: str, off_loop: OffLoop) -> None:
        self._session = session
        self._keyspace = keyspace
        self._off_loop = off_loop
        self._statements: dict[str, PreparedStatement] = {}

    async def reset_offsets(self, generation: int, customers: Collection[str]) -> Mapping[str, int]:
        select = _RESETS.format(facts=self._table(Tables(generation).facts))
        asked = list(customers)
        found: dict[str, int] = {}
        for start in range(0, len(asked), _IDS):
            rows = await self._rows(select, (asked[start : start + _IDS], *MARKER))
            found.update((customer, int(value)) for customer, value in rows)
        return found

    async def facts(
        self, generation: int, customer: str, kind: str | None, after: tuple[str, str], most: int
    ) -> Sequence[FactRow]:
        facts = self._table(Tables(generation).facts)
        if kind is None:
            # What is greater than the marker's key is every fact.
            rows = await self._rows(_FACTS.format(facts=facts), (customer, *max(after, MARKER), most))
        else:
            rows = await self._rows(_OF_KIND.format(facts=facts), (customer, kind, after[1], most))
        return [FactRow(*row) for row in rows]

    async def delta_cells(self, generation: int, customer: str, offsets: Sequence[int]) -> Mapping[int, str]:
        select = _DELTAS.format(deltas=self._table(Tables(generation).deltas))
        found: dict[int, str] = {}
        for start in range(0, len(offsets), _IDS):
            found.update(await self._rows(select, (customer, list(offsets[start : start + _IDS]))))
        return found

    async def alerts(self, customer: str, below: tuple[int, str], most: int) -> Sequence[AlertRow]:
        rows = await self._rows(_ALERTS.format(alerts=self._table(Tables.alerts)), (customer, *below, most))
        return [AlertRow(*row) for row in rows]

    async def ranked_slots(self) -> Mapping[str, RankedSlot]:
        rows = await self._rows(_RANKED.format(ranked_slots=self._table(Tables.ranked_slots)), ())
        return {slot: RankedSlot(batch_id, _day(as_of), size) for slot, batch_id, as_of, size in rows}

    async def ranking(self, slot: str, key: RankingKey) -> Sequence[RankingRow]:
        select = _RANKING.format(rankings=self._table(Tables.rankings(slot)))
        rows = await self._rows(select, (key.metric, str(key.scope), key.member))
        return [RankingRow(batch_id, Entry(customer, value)) for batch_id, customer, value in rows]

    async def roll_back(self, wished: WishedRollback) -> Rollback:
        change = partial(
            rollback.journalled,
            self._session.driver,
            wished.batch_id,
            at=wished.at,
            who=wished.who,
            reason=wished.reason,
        )
        return await self._translated(change)

    def _table(self, name: str) -> str:
        return f"{self._keyspace}.{name}"

    async def _rows(self, query: str, parameters: Sequence[object]) -> list[Any]:
        """Returns the statement's rows, in one page. Raises StoreUnavailable also if Cassandra refuses it."""
        statement = self._statements.get(query)
        if statement is None:
            prepared = await self._translated(partial(self._session.driver.prepare, query))
            statement = self._statements[query] = in_one_page(prepared)
        try:
            return await self._session.execute(statement, parameters)
        except DriverException as error:
            raise StoreUnavailable(f"Cassandra refused the statement: {error}") from error

    async def _translated(self, ask: Callable[[], T]) -> T:
        try:
            return await self._off_loop(ask)
        except (*UNAVAILABLE, DriverException) as error:
            raise StoreUnavailable(f"Cassandra did not answer as it should: {error}") from error


def _day(of: Any) -> date:
    """Returns the driver's date as Python's."""
    day: date = of.date()
    return day
