"""The one way to wait for Cassandra from asyncio: bounded, and every page."""

import asyncio
from collections.abc import Callable, Sequence
from threading import Timer
from typing import Any, cast

import pytest
from cassandra import OperationTimedOut
from cassandra.cluster import Session

from common.cassandra import AsyncStore
from common.errors import StoreUnavailable


class Response:
    """A driver's future whose pages come from another thread."""

    def __init__(self, session: "Driver", pages: Sequence[list[object]], error: Exception | None) -> None:
        self._session, self._left, self._error = session, list(pages), error

    @property
    def has_more_pages(self) -> bool:
        return bool(self._left)

    def add_callbacks(self, arrived: Callable[[list[object]], None], failed: Callable[[Exception], None]) -> None:
        self._arrived, self._failed = arrived, failed
        self.start_fetching_next_page()

    def start_fetching_next_page(self) -> None:
        Timer(0.001, self._answer).start()

    def _answer(self) -> None:
        if self._error is not None:
            self._session.under_way -= 1
            self._failed(self._error)
            return
        page = self._left.pop(0)
        if not self._left:
            self._session.under_way -= 1
        self._arrived(page)


class Driver:
    """A session that counts what is under way."""

    def __init__(self, *pages: list[object], error: Exception | None = None) -> None:
        self.pages, self.error = pages, error
        self.under_way = self.most = 0

    def execute_async(self, *_: object) -> Response:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        return Response(self, self.pages, self.error)


def store(driver: Driver, in_flight: int = 4) -> AsyncStore:
    return AsyncStore(cast(Session, driver), in_flight)


def test_no_more_statements_than_allowed_are_under_way_and_none_is_forgotten() -> None:
    driver = Driver([1])

    async def scene() -> list[list[Any]]:
        asking = store(driver)
        return await asyncio.gather(*(asking.execute("SELECT") for _ in range(20)))

    assert asyncio.run(scene()) == [[1]] * 20
    assert driver.most == 4


def test_a_statement_gives_its_first_page_or_all_of_them() -> None:
    async def scene() -> None:
        asking = store(Driver([1, 2], [3], []))
        assert await asking.fetch_all("SELECT") == [1, 2, 3]

    asyncio.run(scene())
    assert asyncio.run(store(Driver([1, 2])).execute("SELECT")) == [1, 2]


def test_what_cassandra_does_not_answer_is_a_store_away_and_frees_its_place() -> None:
    driver = Driver(error=OperationTimedOut())

    async def scene() -> None:
        asking = store(driver, in_flight=1)
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="did not answer"):
                await asking.execute("SELECT")

    asyncio.run(scene())
    assert driver.most == 1
