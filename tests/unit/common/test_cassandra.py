"""The one way to wait for Cassandra from asyncio: bounded, and every page."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Timer
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cassandra import InvalidRequest, OperationTimedOut
from cassandra.cluster import Session

from common.errors import StoreUnavailable
from common.servers.cassandra import AsyncSession, connected
from common.settings import CassandraSettings, Settings


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

    def clear_callbacks(self) -> None:
        del self._arrived, self._failed

    def start_fetching_next_page(self) -> None:
        Timer(0.05, self._answer).start()  # long enough to begin the next statement on a loaded machine

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


def session(driver: Driver, in_flight: int = 4) -> AsyncSession:
    return AsyncSession(cast(Session, driver), in_flight)


def test_no_more_statements_than_allowed_are_under_way_and_none_is_forgotten() -> None:
    driver = Driver([1])

    async def scene() -> list[list[Any]]:
        asking = session(driver)
        return await asyncio.gather(*(asking.execute("SELECT") for _ in range(20)))

    assert asyncio.run(scene()) == [[1]] * 20
    assert driver.most == 4


def test_a_statement_gives_its_first_page_or_all_of_them() -> None:
    async def scene() -> None:
        asking = session(Driver([1, 2], [3], []))
        assert await asking.fetch_all("SELECT") == [1, 2, 3]

    asyncio.run(scene())
    assert asyncio.run(session(Driver([1, 2])).execute("SELECT")) == [1, 2]


def test_what_cassandra_does_not_answer_is_a_store_away_and_frees_its_place() -> None:
    driver = Driver(error=OperationTimedOut())

    async def scene() -> None:
        asking = session(driver, in_flight=1)
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="did not answer"):
                await asking.execute("SELECT")

    asyncio.run(scene())
    assert driver.most == 1


@pytest.mark.parametrize("hosts", ["no-such-host.invalid", ","])
def test_a_host_that_nobody_knows_is_a_store_away(tmp_path: Path, hosts: str) -> None:
    settings = Settings(home=tmp_path, cassandra=CassandraSettings(hosts=hosts))
    with pytest.raises(StoreUnavailable, match="does not answer"), connected(settings):
        pass


def test_what_fails_within_a_session_is_a_store_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[bool] = []
    cluster = SimpleNamespace(connect=lambda _: None, shutdown=lambda: ended.append(True))
    monkeypatch.setattr("common.servers.cassandra._cluster", lambda *_, **__: cluster)
    with pytest.raises(StoreUnavailable, match="did not answer"), connected(Settings(home=tmp_path)):
        raise OperationTimedOut
    assert ended == [True]


def test_a_keyspace_that_is_not_there_is_named_with_what_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(_: object) -> None:
        raise InvalidRequest("Keyspace 'lambda360' does not exist")

    cluster = SimpleNamespace(connect=connect, shutdown=lambda: None)
    monkeypatch.setattr("common.servers.cassandra._cluster", lambda *_, **__: cluster)
    with pytest.raises(StoreUnavailable, match="lambda360 schema apply"), connected(Settings(home=tmp_path)):
        pass


@pytest.mark.parametrize(
    "said", ["table speed_facts_g2 does not exist", "Undefined column name retracted in table ks.t"]
)
def test_a_table_or_column_that_is_not_there_is_named_with_what_adds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """A new release that begins before its schema was applied waits for that, as for a server."""
    cluster = SimpleNamespace(connect=lambda _: None, shutdown=lambda: None)
    monkeypatch.setattr("common.servers.cassandra._cluster", lambda *_, **__: cluster)
    with pytest.raises(StoreUnavailable, match="lambda360 schema apply"), connected(Settings(home=tmp_path)):
        raise InvalidRequest(said)
    with pytest.raises(InvalidRequest), connected(Settings(home=tmp_path)):
        raise InvalidRequest("a defect of ours")
