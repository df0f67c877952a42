"""The real API on a real server of ours, over a store and a topic in memory, in this process or in one of its own.

`python -m tests.support.guarded NAME=VALUE…` runs it until SIGTERM, with these settings, and prints its port.
"""

import asyncio
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final

import uvicorn
import uvloop

from common.settings import Settings, load_settings
from infra.commands.serve import server_of
from infra.paths import ROOT
from serving_layer.app import create_app
from serving_layer.read.store import SlotRow, StoreSource, ViewStore
from tests.support.live_fakes import MemoryTopic
from tests.support.serving_fakes import NOW, MemoryTopics, MemoryViewStore, pointing_at, published


def known_store(*customers: str) -> MemoryViewStore:
    """A store in which these customers have one order each."""
    store = MemoryViewStore(pointing_at(published()))
    for customer in customers:
        store.put_order(customer)
    return store


SLOW_SECONDS: Final = 0.4


class SlowStore(MemoryViewStore):
    """Takes its time for the customer `slow`."""

    async def slot_rows(self, slot: str, customers: Collection[str]) -> Mapping[str, SlotRow]:
        if "slow" in customers:
            await asyncio.sleep(SLOW_SECONDS)
        return await super().slot_rows(slot, customers)


def server(store: ViewStore, topic: MemoryTopic, settings: Settings) -> uvicorn.Server:
    """The server that `lambda360 serve` runs, over what is in memory."""

    @asynccontextmanager
    async def connect(_: Settings) -> AsyncIterator[StoreSource]:
        yield lambda: store

    return server_of(create_app(settings, lambda: NOW, connect, lambda _: topic, topics=MemoryTopics()), settings)


def free_socket() -> socket.socket:
    """A socket that listens on a free port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    listener.setblocking(False)
    return listener


@contextmanager
def served(store: ViewStore, topic: MemoryTopic, settings: Settings | None = None) -> Iterator[str]:
    """Yields the URL of a server in a thread of this process."""
    running, listener = server(store, topic, settings or Settings()), free_socket()
    port = listener.getsockname()[1]
    thread = threading.Thread(target=lambda: uvloop.run(running.serve([listener])), daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not running.started:
        assert thread.is_alive()
        assert time.monotonic() < until
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.should_exit = True
        thread.join(60)


@dataclass(frozen=True)
class Process:
    """A server in a process of its own."""

    popen: "subprocess.Popen[str]"
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def process(environ: Mapping[str, str]) -> Iterator[Process]:
    """Yields a server in a process of its own, with these settings; it knows the customers `ada` and `slow`."""
    arguments = [f"{name}={value}" for name, value in environ.items()]
    command = [sys.executable, "-m", "tests.support.guarded", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as popen:
        assert popen.stdout is not None
        try:
            yield Process(popen, int(popen.stdout.readline()))
        finally:
            if popen.poll() is None:
                popen.kill()


def main(arguments: list[str]) -> None:
    settings = load_settings(dict(each.split("=", 1) for each in arguments))
    listener = free_socket()
    store = SlowStore(pointing_at(published()))
    store.put_order("ada")
    store.put_order("slow")
    running = server(store, MemoryTopic(), settings)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    running.run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1:])
