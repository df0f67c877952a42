"""The real API over a store in memory, answering on a port of this machine."""

import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn

from common.settings import Settings
from serving_layer.app import create_app
from serving_layer.read.store import StoreSource, ViewStore
from tests.support.live_fakes import MemoryTopic
from tests.support.serving_fakes import MemoryTopics


@contextmanager
def answering(
    store: ViewStore, now: int, topic: MemoryTopic | None = None, *, settings: Settings | None = None
) -> Iterator[str]:
    """Yields the API's URL; to the API it is always `now`, in microseconds (UTC). `topic` has the live deltas."""

    @asynccontextmanager
    async def connect(_: Settings) -> AsyncIterator[StoreSource]:
        yield lambda: store

    live = MemoryTopic() if topic is None else topic
    app = create_app(settings or Settings(), lambda: now, connect, lambda _: live, topics=MemoryTopics())
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < until
        time.sleep(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(60)
