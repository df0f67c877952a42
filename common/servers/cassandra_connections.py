"""Connections of Cassandra's driver: served by its thread or by our event loop, and with timers that let go.

Each statement has a timer, which holds the statement's response, which holds the timer: the driver leaves both, with
the statement and its rows, to Python's search for cycles. A worker of ours once held 3 GB of them. Here a timer that is
cancelled lets go of what it would call.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from cassandra.connection import NONBLOCKING, Connection, ConnectionShutdown
from cassandra.io.libevreactor import LibevConnection

READ_BYTES = 256 * 1024
"""So much is read from a socket at once, at most: the driver's own 4 KiB are sixteen reads for one joined answer."""


class ThreadConnection(LibevConnection):  # type: ignore[misc] # the driver has no types
    """A connection that the driver's own thread serves."""

    @classmethod
    def create_timer(cls, timeout: float, callback: Callable[[], object]) -> "_ThreadTimer":
        timer = _ThreadTimer(callback)
        timer.of_driver = super().create_timer(timeout, timer)
        return timer


def served_by(loop: asyncio.AbstractEventLoop) -> type[Connection]:
    """Returns a class of connections for the driver, whose sockets and timers `loop` serves. The loop must be running.

    A thread of the driver's and the event loop's would hand the interpreter's lock to and fro for each answer. Here the
    loop's thread sends a statement and decodes its answer. Whatever waits for the driver, as `connect`, `prepare` and
    `shutdown` do, must be called in another thread: in the loop's it would wait for itself.
    """
    return type("LoopConnection", (_LoopConnection,), {"loop": loop})


def is_current(loop: asyncio.AbstractEventLoop) -> bool:
    """Returns whether this thread runs `loop`."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:  # it runs none
        return False


class _LoopConnection(Connection):  # type: ignore[misc] # the driver has no types
    loop: asyncio.AbstractEventLoop
    is_closed: bool
    """The driver's own. Whoever sets it holds `lock`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._unsent: list[bytes] = []
        self._connect_socket()
        self._socket.setblocking(False)
        _do_in(self.loop, self._listen)
        self._send_options_message()

    @classmethod
    def create_timer(cls, timeout: float, callback: Callable[[], object]) -> "_LoopTimer":
        return _LoopTimer(cls.loop, timeout, callback)

    def push(self, data: bytes) -> None:
        _do_in(self.loop, self._write, data)

    def close(self) -> None:
        with self.lock:
            if self.is_closed:
                return
            self.is_closed = True
        try:
            _do_in(self.loop, self._let_go)
        except RuntimeError:  # the loop is closed, and listens no more
            self._socket.close()
        if not self.is_defunct:
            self.error_all_requests(ConnectionShutdown(f"the connection to {self.endpoint} was closed"))
            self.connected_event.set()

    def _listen(self) -> None:
        if not self.is_closed:
            self.loop.add_reader(self._socket.fileno(), self._readable)

    def _let_go(self) -> None:
        if (descriptor := self._socket.fileno()) >= 0:
            self.loop.remove_reader(descriptor)
            self.loop.remove_writer(descriptor)
        self._socket.close()

    def _write(self, data: bytes) -> None:
        """What is written in one turn of the loop is sent together."""
        if not self._unsent:
            self.loop.call_soon(self._send)
        self._unsent.append(data)

    def _send(self) -> None:
        if self.is_closed:
            return
        data = b"".join(self._unsent)
        self._unsent.clear()
        try:
            sent = self._socket.send(data)
        except OSError as error:
            if error.args[0] not in NONBLOCKING:
                self.defunct(error)
                return
            sent = 0
        if sent < len(data):
            self._unsent.append(data[sent:])
            self.loop.add_writer(self._socket.fileno(), self._writable)

    def _writable(self) -> None:
        self.loop.remove_writer(self._socket.fileno())
        self._send()

    def _readable(self) -> None:
        try:
            data = self._socket.recv(READ_BYTES)
        except OSError as error:
            if error.args[0] not in NONBLOCKING:
                self.defunct(error)
            return
        if data:
            self._iobuf.write(data)
            self.process_io_buffer()
        else:
            self.defunct(ConnectionShutdown(f"{self.endpoint} closed the connection"))


class _ThreadTimer:
    """A timer of the driver's thread, which calls this object. To cancel it later does nothing."""

    def __init__(self, callback: Callable[[], object]) -> None:
        self._callback: Callable[[], object] | None = callback
        self.of_driver: Any = None

    def __call__(self) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()

    def cancel(self) -> None:
        self._callback = None
        timer, self.of_driver = self.of_driver, None
        if timer is not None:
            timer.cancel()


class _LoopTimer:
    """A timer of the loop's: calls back once, unless it is cancelled before. To cancel it later does nothing."""

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout: float, callback: Callable[[], object]) -> None:
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None
        self._is_cancelled = False
        _do_in(loop, self._start, timeout, callback)

    def _start(self, timeout: float, callback: Callable[[], object]) -> None:
        if not self._is_cancelled:
            self._handle = self._loop.call_later(timeout, callback)

    def cancel(self) -> None:
        self._is_cancelled = True
        _do_in(self._loop, self._stop)

    def _stop(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.cancel()


def _do_in(loop: asyncio.AbstractEventLoop, do: Callable[..., object], *given: object) -> None:
    if is_current(loop):
        do(*given)
    else:
        loop.call_soon_threadsafe(do, *given)
