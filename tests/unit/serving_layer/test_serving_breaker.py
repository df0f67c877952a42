"""The circuit breaker of Cassandra in serving: it counts what Cassandra does not answer, and not what it refuses."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from cassandra import InvalidRequest, OperationTimedOut

from common.errors import StoreUnavailable
from common.servers.breaker import Breaker
from common.settings import Settings
from serving_layer.read.cassandra_store import CassandraViewStore
from serving_layer.read.store import StatementRefused


class Session:
    """A driver's session whose statements all end with `error`."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.sent = 0

    def prepare(self, _: str) -> "Session":
        return self

    def execute_async(self, _: object, __: Sequence[object] | None) -> "Session":
        self.sent += 1
        return self

    has_more_pages = False

    def add_callbacks(self, answered: Callable[[list[Any]], None], failed: Callable[[BaseException], None]) -> None:
        if self.error is None:
            answered([])
        else:
            failed(self.error)

    def clear_callbacks(self) -> None:
        """It holds none."""


def store_over(session: Any, breaker: Breaker) -> CassandraViewStore:
    return CassandraViewStore(session, Settings(), breaker=breaker)


async def _ask(store: CassandraViewStore) -> None:
    await store.slot_rows("a", ["ada"])


def test_after_failures_in_a_row_no_statement_is_sent_until_a_probe_is_answered() -> None:
    session, now = Session(), [0.0]
    store = store_over(session, Breaker("cassandra", 3, 2.0, lambda: now[0]))

    async def story() -> None:
        session.error = OperationTimedOut()
        for _ in range(5):
            with pytest.raises(StoreUnavailable):
                await _ask(store)
        assert session.sent == 3
        with pytest.raises(StoreUnavailable, match="its circuit breaker is open"):
            await _ask(store)
        now[0], session.error = 2.0, None
        await _ask(store)
        await _ask(store)
        assert session.sent == 5

    asyncio.run(story())


def test_a_statement_that_cassandra_refuses_is_an_answer_and_opens_nothing() -> None:
    """R13: requests whose pin names a generation that was dropped must not stop all others."""
    session = Session()
    breaker = Breaker("cassandra", 3, 2.0)
    store = store_over(session, breaker)

    async def story() -> None:
        session.error = InvalidRequest("unconfigured table speed_deltas_g2")
        for _ in range(9):
            with pytest.raises(StatementRefused):
                await _ask(store)

    asyncio.run(story())
    assert (session.sent, breaker.is_open) == (9, False)
