"""What an audit reads of a token range: both slots' rows and the deltas, side by side (R18)."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from cassandra.cluster import Session
from cassandra.query import PreparedStatement

from batch_layer.audit.compare import Cell, Gathered, Verdict, compared
from common.algebra.cut import Cut
from common.algebra.pointer import Claim, Published
from common.log.partition import partition_of
from common.settings import Settings
from common.tables import Tables

_PAGE_ROWS: Final = 2000


@dataclass(frozen=True, slots=True)
class Scope:
    """What is compared with what; it travels to Spark's tasks."""

    settings: Settings
    claim: Claim
    base: Published | None
    """The current batch whose slot is read; None if there is none, or if it is recomputed."""
    cut: Cut
    """The current batch's, also where that is recomputed."""
    generation: int
    audited: frozenset[int]
    """The partitions whose customers are compared."""
    ranges: int

    @property
    def partitions(self) -> int:
        """The log's partitions: a plan's cut names each of them."""
        return len(self.claim.plan.cut.offsets)

    def verdict(self, gathered: Gathered) -> Verdict | None:
        """Returns the comparison of one customer; None in a partition that is not audited."""
        partition = partition_of(gathered.customer, self.partitions)
        if partition not in self.audited:
            return None
        return compared(gathered, self.cut[partition], self.claim.plan.cut[partition])


@dataclass(slots=True)
class Found:
    """The rows of one token range, by customer."""

    new: dict[str, str] = field(default_factory=dict)
    base: dict[str, str] = field(default_factory=dict)
    deltas: defaultdict[str, list[Cell]] = field(default_factory=lambda: defaultdict(list))

    def customers(self) -> Iterator[Gathered]:
        for customer in {**self.new, **self.base, **self.deltas}:
            deltas = self.deltas.get(customer, ())
            yield Gathered(customer, self.base.get(customer), self.new.get(customer), deltas)


class Reads:
    """The statements of a scan on one session."""

    def __init__(self, session: Session, scope: Scope) -> None:
        self._session = session
        self._scope = scope
        by_range = "WHERE token(customer_id) > ? AND token(customer_id) <= ?"
        ends = scope.claim.plan.cut
        least = min((scope.cut[partition] for partition in scope.audited if ends[partition]), default=0)

        def prepared(query: str) -> PreparedStatement:
            statement = session.prepare(query)
            statement.fetch_size = _PAGE_ROWS
            return statement

        def of_slot(slot: str) -> PreparedStatement:
            return prepared(f"SELECT customer_id, batch_id, state FROM {Tables.batch_view(slot)} {by_range}")

        self._new = of_slot(scope.claim.slot)
        self._base = None if scope.base is None else of_slot(scope.base.slot)
        # A delta's cell may be missed here where a page ends inside a customer: drift is looked at again, in one page.
        self._deltas = prepared(
            f"SELECT customer_id, kafka_offset, value FROM {Tables(scope.generation).deltas} {by_range} "
            f"AND kafka_offset >= {least} ALLOW FILTERING"
        )

    def range(self, bounds: tuple[int, int]) -> Found:
        """Returns the rows whose tokens are above the first bound, and at most the second; asks for all at once."""
        found = Found()
        new = self._session.execute_async(self._new, bounds)
        deltas = self._session.execute_async(self._deltas, bounds)
        if self._base is not None and self._scope.base is not None:
            batch_id = self._scope.base.batch_id
            rows = self._session.execute(self._base, bounds)
            found.base = {row.customer_id: row.state for row in rows if row.batch_id == batch_id}
        batch_id = self._scope.claim.batch_id
        found.new = {row.customer_id: row.state for row in new.result() if row.batch_id == batch_id}
        for row in deltas.result():
            found.deltas[row.customer_id].append((row.kafka_offset, row.value))
        return found
