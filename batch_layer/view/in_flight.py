"""Unlogged batches on their way to Cassandra: a bounded number of them awaits answers at once. Knows no table."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cassandra.cluster import ResponseFuture, Session
from cassandra.query import BatchStatement, BatchType, PreparedStatement

from common.servers.cassandra import UNAVAILABLE
from common.servers.patience import patiently


class _Sent(NamedTuple):
    """A batch that was sent, and the answer that is awaited."""

    statement: BatchStatement
    future: ResponseFuture


class InFlight:
    """At most `most` batches await their answers at once; `doing` says in errors what they are for."""

    def __init__(self, session: Session, most: int, doing: str) -> None:
        self._session = session
        self._most = most
        self._doing = doing
        self._flying: deque[_Sent] = deque()

    def owners(self, customer_id: str) -> tuple[str, ...]:
        """Returns the addresses of the customer's replicas. Rows with the same ones are cheap in one batch."""
        replicas = self._session.cluster.metadata.get_replicas(self._session.keyspace, customer_id.encode())
        return tuple(sorted(replica.address for replica in replicas))

    def send(self, rows: Iterable[tuple[PreparedStatement, Sequence[object]]]) -> None:
        """Sends the rows as one batch, once there is room. Raises StoreUnavailable for an earlier one."""
        if len(self._flying) >= self._most:
            self._settle(self._flying.popleft())
        statement = BatchStatement(BatchType.UNLOGGED)
        for prepared, values in rows:
            statement.add(prepared, values)
        self._flying.append(_Sent(statement, self._session.execute_async(statement)))

    def settle(self) -> None:
        """Returns once every batch is acknowledged. Raises StoreUnavailable if one is not, after retries."""
        while self._flying:
            self._settle(self._flying.popleft())

    def _settle(self, sent: _Sent) -> None:
        try:
            sent.future.result()
        except UNAVAILABLE:
            patiently(lambda: self._session.execute(sent.statement), self._doing)
