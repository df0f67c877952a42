"""Connects to the store in the background, and keeps the connection for the life of the process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from typing import Final

import structlog
from cassandra.query import tuple_factory

from common.errors import StoreUnavailable
from common.servers.breaker import Breaker
from common.servers.cassandra import connected
from common.settings import Settings
from serving_layer.read.cassandra_store import CassandraViewStore
from serving_layer.read.store import StoreSource, ViewStore
from serving_layer.read.together import Together

Connect = Callable[[Settings], AbstractAsyncContextManager[StoreSource]]
"""Gives `create_app` its store. The source exists at once, and raises StoreUnavailable until it is connected."""

RETRY_SECONDS: Final = 1.0
STATEMENT_SECONDS: Final = 5.0
"""The most that a statement waits for an answer, even if the setting allows more: here a client is waiting."""
log = structlog.get_logger(__name__)


@asynccontextmanager
async def cassandra_link(settings: Settings) -> AsyncIterator[StoreSource]:
    """Yields a source, and retries in the background until it is connected. From then on the driver reconnects."""
    link = _Link()
    resources = ExitStack()
    connecting = asyncio.create_task(link.connect(settings, resources))
    try:
        yield link.store
    finally:
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)
        await asyncio.to_thread(resources.close)


class _Link:
    def __init__(self) -> None:
        self._store: ViewStore | None = None
        self._reason = "still connecting to Cassandra"

    def store(self) -> ViewStore:
        if self._store is None:
            raise StoreUnavailable(self._reason)
        return self._store

    async def connect(self, settings: Settings, resources: ExitStack) -> None:
        while self._store is None:
            try:
                self._store = await asyncio.to_thread(
                    _open, _impatient(settings), resources, asyncio.get_running_loop()
                )
                log.info("connected", server="cassandra", keyspace=settings.cassandra.keyspace)
            except StoreUnavailable as error:
                if str(error) != self._reason:
                    log.warning("unavailable", server=error.server, action="retry", error=error)
                self._reason = str(error)
                await asyncio.sleep(RETRY_SECONDS)


def _open(settings: Settings, resources: ExitStack, loop: asyncio.AbstractEventLoop) -> ViewStore:
    """Returns a connected store, which `resources` closes. If it raises, nothing is left open."""
    with ExitStack() as attempt:
        session = attempt.enter_context(connected(settings, row_factory=tuple_factory, loop=loop))
        serving = settings.serving
        breaker = Breaker("cassandra", serving.breaker_threshold, serving.breaker_recovery_seconds)
        together = Together(serving.reads_together) if serving.reads_together > 1 else None
        store = CassandraViewStore(session, settings, breaker=breaker, together=together)
        resources.push(attempt.pop_all())
        return store


def _impatient(settings: Settings) -> Settings:
    seconds = min(settings.cassandra.request_timeout_seconds, STATEMENT_SECONDS)
    return settings.model_copy(
        update={"cassandra": settings.cassandra.model_copy(update={"request_timeout_seconds": seconds})}
    )
