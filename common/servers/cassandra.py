"""Cassandra for every layer: how to connect, how to await from asyncio, how errors are translated. Knows no table."""

import asyncio
import re
import socket
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import Any, Final

from cassandra import (
    ConsistencyLevel,
    DriverException,
    InvalidRequest,
    OperationTimedOut,
    RequestExecutionException,
)
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.connection import Connection
from cassandra.policies import ConstantReconnectionPolicy, DCAwareRoundRobinPolicy, TokenAwarePolicy
from cassandra.query import PreparedStatement, Statement

from common.errors import StoreUnavailable
from common.servers.cassandra_connections import ThreadConnection, is_current, served_by
from common.settings import Settings

UNAVAILABLE: Final = (NoHostAvailable, OperationTimedOut, RequestExecutionException)
"""What the driver raises when Cassandra does not answer, or not in time: the speed layer retries, the API answers 503.

A statement that Cassandra refuses as invalid raises none of these: it is a defect, and ends the process.
"""

_LACKING: Final = re.compile(r"(unconfigured table|table \w+ does not exist|[Uu]ndefined column)")
"""Cassandra's messages about a table or a column that does not exist: its schema is older than the statement."""


def named_rows(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[Any]:
    """Returns the rows as named tuples, one class for all results of the same columns.

    The driver's own factory makes a class for each result, which costs 300 us of CPU.
    """
    row_type = _row_type(tuple(names))
    return [row_type(*row) for row in rows]


@lru_cache(maxsize=1000)
def _row_type(names: tuple[str, ...]) -> type[Any]:
    return namedtuple("Row", names, rename=True)


@contextmanager
def connected(
    settings: Settings,
    *,
    keyspace: bool = True,
    metadata: bool = True,
    row_factory: Callable[..., list[Any]] = named_rows,
    loop: asyncio.AbstractEventLoop | None = None,
) -> Iterator[Session]:
    """A new session on the deployment's keyspace, closed at the end; with `keyspace=False`, on none.

    A session on no keyspace reads no metadata of the schema. Without `metadata`, no session does, and each statement
    goes to any node: right for statements about token ranges or many partitions. With a running `loop`, that serves the
    connections, and not a thread of the driver's (see `cassandra_connections`). Raises StoreUnavailable if no node
    answers, now or to a statement inside, or if the keyspace, or a table or column that a statement names, does not
    exist.
    """
    nodes = ", ".join(f"{host}:{settings.cassandra_port}" for host in settings.cassandra_hosts)
    with ExitStack() as at_end:
        try:
            served = ThreadConnection if loop is None else served_by(loop)
            cluster = _cluster(settings, row_factory, served, schema_metadata=keyspace and metadata)
            at_end.callback(cluster.shutdown)
            session = cluster.connect(settings.cassandra.keyspace if keyspace else None)
        except InvalidRequest as error:
            name = settings.cassandra.keyspace
            text = f"Cassandra at {nodes} has no keyspace {name!r}; `lambda360 schema apply` creates it: {error}"
            raise StoreUnavailable(text) from error
        except (*UNAVAILABLE, DriverException) as error:
            raise StoreUnavailable(f"Cassandra at {nodes} does not answer: {_why(error)}") from error
        try:
            yield session
        except UNAVAILABLE as error:
            raise StoreUnavailable(f"Cassandra did not answer: {_why(error)}") from error
        except InvalidRequest as error:
            if not _LACKING.search(str(error)):
                raise
            text = f"the keyspace lacks what this release needs; `lambda360 schema apply` adds it: {error}"
            raise StoreUnavailable(text) from error


def _why(error: Exception) -> str:
    """The driver's reason for each node, each once, without the text around it."""
    causes = getattr(error, "errors", None)
    if not isinstance(causes, dict) or not causes:
        return str(error)
    return "; ".join(dict.fromkeys(str(cause).rpartition("Last error: ")[2] for cause in causes.values()))


def _cluster(
    settings: Settings, row_factory: Callable[..., list[Any]], served: type[Connection], *, schema_metadata: bool
) -> Cluster:
    consistency = ConsistencyLevel.name_to_value[settings.cassandra.consistency]
    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy(local_dc=settings.cassandra.datacenter)),
        consistency_level=consistency,
        serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL,
        request_timeout=settings.cassandra.request_timeout_seconds,
        row_factory=row_factory,
    )
    return Cluster(
        list(settings.cassandra_hosts),
        port=settings.cassandra_port,
        protocol_version=5,
        connection_class=served,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        reconnection_policy=ConstantReconnectionPolicy(1.0, max_attempts=None),
        connect_timeout=settings.cassandra.request_timeout_seconds,
        compression=False,
        schema_metadata_enabled=schema_metadata,
        # With Nagle's algorithm, the driver's default, a statement behind another waits 40 ms for an acknowledgement.
        sockopts=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
    )


def in_one_page(statement: PreparedStatement) -> PreparedStatement:
    """Makes Cassandra answer `statement` in one page, however many rows there are; returns the statement.

    Required for the tables of the speed layer's mutations (R11): pages are read one after the other and from different
    replicas, so several pages may hold a part of a mutation.
    """
    statement.fetch_size = None
    return statement


class AsyncSession:
    """Executes statements for asyncio, at most `in_flight` at once; further callers wait for their turn."""

    def __init__(self, session: Session, in_flight: int) -> None:
        self.driver = session
        self._room = asyncio.Semaphore(in_flight)

    async def execute(self, statement: Statement | str, parameters: Sequence[object] = ()) -> list[Any]:
        """Returns the first page of the statement's rows, once it is acknowledged.

        Raises StoreUnavailable if it is not acknowledged in time.
        """
        return await self._run(statement, parameters, every_page=False)

    async def fetch_all(self, statement: Statement | str, parameters: Sequence[object] = ()) -> list[Any]:
        """Returns the rows of all pages of the statement. Raises StoreUnavailable if a page does not come in time."""
        return await self._run(statement, parameters, every_page=True)

    async def _run(self, statement: Statement | str, parameters: Sequence[object], *, every_page: bool) -> list[Any]:
        async with self._room:
            try:
                return await self._begin(statement, parameters, every_page=every_page)
            except UNAVAILABLE as error:
                raise StoreUnavailable(f"Cassandra did not answer: {_why(error)}") from error

    def _begin(
        self, statement: Statement | str, parameters: Sequence[object], *, every_page: bool
    ) -> asyncio.Future[list[Any]]:
        """Sends the statement, and returns the future of its rows. No frame that an error comes through holds it."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[list[Any]] = loop.create_future()
        pages: list[Any] = []

        def settle(error: BaseException | None) -> None:
            if done.done():
                return
            if error is None:
                done.set_result(pages)
            else:
                done.set_exception(error)

        def ended(error: BaseException | None = None) -> None:
            if is_current(loop):  # as where the loop serves the connections
                settle(error)
            else:
                loop.call_soon_threadsafe(settle, error)

        def arrived(rows: list[Any] | None) -> None:  # called for each page, perhaps by a thread of the driver
            pages.extend(rows or ())
            if every_page and response.has_more_pages:
                response.start_fetching_next_page()
            else:
                ended()

        response = self.driver.execute_async(statement, parameters or None)
        done.add_done_callback(lambda _: response.clear_callbacks())  # they hold the response, which holds them
        response.add_callbacks(arrived, ended)
        return done
