"""Connections to the real Cassandra: statements of any size and number, a silent server, closed sockets, no garbage."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress

import psutil
import pytest
import uvloop
from cassandra import InvalidRequest
from cassandra.query import PreparedStatement

from common.errors import StoreUnavailable
from common.servers.cassandra import AsyncSession, connected
from common.settings import Settings
from tests.support import one_server
from tests.support.cycles import no_cycles
from tests.support.systems import patient

pytestmark = pytest.mark.stack
WRITE = "INSERT INTO speed_facts (customer_id, kind, entity_id, value) VALUES (?, 'order', ?, ?)"
READ = "SELECT value FROM speed_facts WHERE customer_id = ?"
MIB = 2**20


@asynccontextmanager
async def on_loop(settings: Settings, *, is_served_by_it: bool = True) -> AsyncIterator[AsyncSession]:
    """A session that the running loop serves, opened and closed in another thread, as it must be."""
    with ExitStack() as opened:
        link = connected(settings, loop=asyncio.get_running_loop() if is_served_by_it else None)
        session = await asyncio.to_thread(opened.enter_context, link)
        try:
            yield AsyncSession(session, 512)
        finally:
            await asyncio.to_thread(opened.pop_all().close)


async def prepared(session: AsyncSession, query: str) -> PreparedStatement:
    return await asyncio.to_thread(session.driver.prepare, query)


@pytest.mark.parametrize("loops", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_every_statement_gets_its_own_answer_whatever_its_size(
    system: Settings, loops: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """One larger than a segment of the protocol, more at once than the socket takes, answers of many segments."""
    sizes = [1, 100, 5_000, 131_071, 131_072, MIB, *[3 * MIB] * 6, *range(1000, 1400)]

    async def scene() -> None:
        async with on_loop(patient(system)) as session:
            write, read = [await prepared(session, query) for query in (WRITE, READ)]
            texts = {f"c{number}": f"{number}:" + "x" * size for number, size in enumerate(sizes)}
            await asyncio.gather(*(session.execute(write, (name, "o", text)) for name, text in texts.items()))
            found = await asyncio.gather(*(session.execute(read, (name,)) for name in texts))
            assert [row.value for rows in found for row in rows] == list(texts.values())
            for number in range(60):
                await session.execute(write, ("paged", f"o{number}", "y" * 100_000))
            read.fetch_size = 7
            assert len(await session.fetch_all(read, ("paged",))) == 60

    with asyncio.Runner(loop_factory=loops) as running:
        running.run(scene())


def test_a_silent_cassandra_is_a_store_away_in_time_and_answers_again_on_the_same_connection(
    system: Settings, stack: Settings
) -> None:
    async def scene() -> None:
        async with on_loop(with_timeout(system, 1.0)) as session:
            read = await prepared(session, READ)
            before = sockets()
            one_server.send(stack, "cassandra", signal.SIGSTOP)
            try:
                with pytest.raises(StoreUnavailable, match="did not answer"):
                    async with asyncio.timeout(5):
                        await session.execute(read, ("silent",))
            finally:
                one_server.send(stack, "cassandra", signal.SIGCONT)
            async with asyncio.timeout(60):
                while not await answers(session, read):
                    await asyncio.sleep(0.1)
            assert sockets() == before

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as running:
        running.run(scene())


def test_what_is_under_way_when_the_session_closes_fails_and_no_socket_is_left(system: Settings) -> None:
    """The driver's own way: it tries again, on a session that is closed, until the time is out."""

    async def scene() -> None:
        before = sockets()
        async with on_loop(with_timeout(system, 3.0)) as session:
            write = await prepared(session, WRITE)
            assert len(sockets() - before) == 2  # for statements, and for what the driver follows
            under_way = [
                asyncio.ensure_future(session.execute(write, ("ending", f"o{number}", "z" * MIB)))
                for number in range(20)
            ]
            await asyncio.sleep(0)
        ended = await asyncio.gather(*under_way, return_exceptions=True)
        assert {type(each) for each in ended} <= {StoreUnavailable, list}
        assert StoreUnavailable in {type(each) for each in ended}
        assert sockets() == before

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as running:
        running.run(scene())


def test_a_connection_that_is_lost_is_made_anew(system: Settings) -> None:
    """As by a firewall that forgets it. Statements under way fail; they are not sent twice."""

    async def scene() -> None:
        async with on_loop(patient(system)) as session:
            read = await prepared(session, READ)
            for pool in session.driver.get_pools():
                pool._connection._socket.shutdown(socket.SHUT_RDWR)
            async with asyncio.timeout(60):
                while not await answers(session, read):
                    await asyncio.sleep(0.1)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as running:
        running.run(scene())


@pytest.mark.parametrize("is_served_by_it", [True, False])
def test_no_statement_leaves_anything_to_the_search_for_cycles(
    system: Settings, stack: Settings, is_served_by_it: bool
) -> None:
    """Whether it is answered, refused or too late: a response holds its statement and its rows."""

    async def scene() -> None:
        async with on_loop(with_timeout(system, 2.0), is_served_by_it=is_served_by_it) as session:
            write, read = [await prepared(session, query) for query in (WRITE, READ)]

            async def ask(number: int) -> None:
                await session.execute(write, (f"c{number}", "o", "x"))
                await session.fetch_all(read, (f"c{number}",))
                with pytest.raises(InvalidRequest):
                    await session.execute("SELECT nothing FROM speed_facts")

            await asyncio.gather(*map(ask, range(20)))
            with no_cycles(most=25):
                await asyncio.gather(*map(ask, range(100)))
            one_server.send(stack, "cassandra", signal.SIGSTOP)
            try:
                with no_cycles(most=25):
                    failures = await asyncio.gather(
                        *(session.execute(read, ("late",)) for _ in range(50)), return_exceptions=True
                    )
                    assert {type(each) for each in failures} == {StoreUnavailable}
                    del failures
            finally:
                one_server.send(stack, "cassandra", signal.SIGCONT)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as running:
        running.run(scene())


def with_timeout(settings: Settings, seconds: float) -> Settings:
    cassandra = settings.cassandra.model_copy(update={"request_timeout_seconds": seconds})
    return settings.model_copy(update={"cassandra": cassandra})


async def answers(session: AsyncSession, read: PreparedStatement) -> bool:
    with suppress(StoreUnavailable):
        await session.execute(read, ("anybody",))
        return True
    return False


def sockets() -> set[tuple[int, int]]:
    """This process's connections, by their descriptors and local ports."""
    return {
        (each.fd, each.laddr.port)
        for each in psutil.Process(os.getpid()).net_connections("tcp")
        if each.status == psutil.CONN_ESTABLISHED
    }
