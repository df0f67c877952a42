"""uvicorn's HTTP protocol, with limits on what one connection may take, and with a drain before it is closed.

uvicorn has a time limit for idle connections alone, and httptools none for the size of URL and headers. Here a client
that sends headers or body too slowly or too large is refused with a status, one that does not read its answer is cut
off, and memory per connection is bounded.
"""

import asyncio
from functools import partial
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from common.settings import AccessSettings
from serving_layer.access import refusals
from serving_layer.access.joined_writes import JoinedWrites
from serving_layer.access.refusals import Refusal

LINGER_SECONDS: Final = 2.0
"""How long a refused client may go on sending. Closed at once, it is often reset before it has read its status."""
LINGER_BYTES: Final = 2**20
"""So much of it is read, and thrown away; then nothing is read any more."""
PIPELINED: Final = 16
"""So many requests of a connection wait for the answer to another one; each takes some 2 KB of memory. More end it."""
DRAIN_SECONDS: Final = 1.0
"""How long an idle connection is kept when the server stops: a request that is under way to it is answered."""

ON_STOP: Final = "on_stop"
"""The key of the application's lifespan state under which it has what is called, perhaps repeatedly, when the server
begins to stop: it must end answers that would never end by themselves."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection, with its limits."""

    def __init__(self, *arguments: Any, limits: AccessSettings, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.limits = limits
        self._refusal: Refusal | None = None
        self._arrival: asyncio.TimerHandle | None = None
        """Fires if the headers or the body that are awaited do not arrive in time."""
        self._stall: asyncio.TimerHandle | None = None
        """Fires if the client does not read."""
        self._in_head = True
        self._head_bytes = 0
        """Received since the last request ended, while the headers are incomplete."""
        self._header_bytes = 0
        self._discarded = 0
        self._is_refused = False
        self._is_draining = False
        self._answered: RequestResponseCycle | None = None
        """The request that is being answered; `self.cycle` is the last one that arrived, and may wait behind it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        self._writes = JoinedWrites(transport, self.loop)
        super().connection_made(self._writes)  # type: ignore[arg-type] # it is one, but by name
        if len(self.connections) > self.limits.max_connections:
            self.transport.write(refusals.response(refusals.FULL))
            self.transport.close()
        else:
            self._await_arrival(self.limits.header_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrived()
        self.resume_writing()
        self._writes.drop()
        if self._answered is not None and not self._answered.response_complete:
            self._answered.disconnected = True  # uvicorn tells `self.cycle` alone: a stream before it would never end
            self._answered.message_event.set()
        super().connection_lost(exc)

    def eof_received(self) -> None:
        self._writes.flush()  # the transport closes itself now

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            self._discard(len(data))
            return
        self._unset_keepalive_if_required()
        self._head_bytes += len(data) if self._in_head else 0
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # there is no other protocol here; the request has been handed on as it is
        except httptools.HttpParserError:
            self._refuse(self._refusal or refusals.MALFORMED)
        else:
            self._check_arrival()

    def _check_arrival(self) -> None:
        """Sees to it that what is incomplete ends in time and size; a request in one piece sets no timer."""
        # A header is reported when it is complete, so one without an end shows in the bytes alone.
        if self._in_head and self._head_bytes > self.limits.max_url_bytes + self.limits.max_header_bytes:
            self._refuse(refusals.headers_too_large(self.limits.max_header_bytes))
        elif self._arrival is None and (self._head_bytes or not self._in_head):
            self._await_arrival(self.limits.header_seconds if self._in_head else self.limits.body_seconds)

    def on_message_begin(self) -> None:
        self._header_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self.limits.max_url_bytes:
            self._end_parsing(refusals.url_too_long(self.limits.max_url_bytes))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._header_bytes += len(name) + len(value) + 4
        if self._header_bytes > self.limits.max_header_bytes:
            self._end_parsing(refusals.headers_too_large(self.limits.max_header_bytes))

    def on_headers_complete(self) -> None:
        self._discarded = 0
        self._arrived()
        if len(self.pipeline) >= PIPELINED:
            self._end_parsing(refusals.MALFORMED)
        super().on_headers_complete()
        self._in_head = False
        if self._is_draining:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        if self.cycle.response_complete:
            self._discard(len(body))
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head = True
        self._head_bytes = 0
        self._arrived()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._writes.flush()
        super().on_response_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall = self.loop.call_later(self.limits.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        super().resume_writing()

    def shutdown(self) -> None:
        """Ends the connection with its next answer, or after DRAIN_SECONDS without a request."""
        self._is_draining = True
        self.app_state.get(ON_STOP, _nothing)()
        if self._is_idle:
            self.loop.call_later(DRAIN_SECONDS, self._close_if_idle)
        else:
            self.cycle.keep_alive = False

    @property
    def _is_idle(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request, whatever uvicorn declares
        return cycle is None or cycle.response_complete

    def _close_if_idle(self) -> None:
        if self._is_idle:
            self.transport.close()

    def _await_arrival(self, seconds: float) -> None:
        self._arrival = self.loop.call_later(seconds, self._refuse, refusals.TOO_SLOW)

    def _arrived(self) -> None:
        if self._arrival is not None:
            self._arrival.cancel()
            self._arrival = None

    def _end_parsing(self, refusal: Refusal) -> None:
        self._refusal = refusal
        raise httptools.HttpParserError(refusal.detail)  # the way out of a callback of the parser

    def _refuse(self, refusal: Refusal) -> None:
        """Ends the connection with the refusal, unless an answer has begun; the client has a moment to read it."""
        if self.transport.is_closing():
            return
        self._is_refused = True
        if self._is_idle if self._in_head else not self.cycle.response_started:
            self.transport.write(refusals.response(refusal))
        if not self._is_idle:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._linger()

    def _discard(self, size: int) -> None:
        """Counts bytes that nobody reads; after LINGER_BYTES of them the client is heard no more."""
        self._discarded += size
        if self._discarded > LINGER_BYTES and not self.flow.read_paused:
            self.flow.pause_reading()
            self._linger()

    def _linger(self) -> None:
        self._arrived()
        self._arrival = self.loop.call_later(LINGER_SECONDS, self.transport.abort)


def guarded(settings: AccessSettings) -> Any:
    """Returns what makes the protocol with the settings' limits, for `uvicorn.Config(http=…)`. It can be pickled."""
    return partial(GuardedProtocol, limits=settings)


def _nothing() -> None: ...
