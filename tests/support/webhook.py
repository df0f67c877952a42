"""A real receiver of notifications on loopback, as others have it: it verifies signatures and drops known ids."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import pytest
import standardwebhooks
from standardwebhooks import webhooks

from common.settings import NotifySettings, Settings

SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 # a test's own
START: Final = 1_800_000_000_000_000


@dataclass
class Clock:
    """The time of everything in a test: microseconds since the epoch (UTC)."""

    now: int = START

    def __call__(self) -> int:
        return self.now

    def seconds(self) -> float:
        """The same as a clock that never goes back."""
        return self.now / 1e6

    def passes(self, seconds: float) -> None:
        self.now += round(seconds * 1e6)


@dataclass
class Receiver:
    """What the receiver got, and how it answers; `requests` has the ids as they came, `effects` each id's body once."""

    requests: list[str] = field(default_factory=list)
    effects: dict[str, Any] = field(default_factory=dict)
    unsigned: list[str] = field(default_factory=list)
    answers: Callable[[str], int] = lambda id_: 204
    delay: threading.Event | None = None
    """Where there is one, the answer waits for it."""
    port: int = field(init=False)
    _held: socket.socket = field(init=False)
    """Bound to the port for as long as this lives: nobody else gets it while nothing listens there."""
    _server: ThreadingHTTPServer | None = None

    def __post_init__(self) -> None:
        self._held = socket.socket()
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.bind(("127.0.0.1", 0))
        self.port = self._held.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://user:pw@127.0.0.1:{self.port}/hooks/T0K3N?key=K3Y"

    @property
    def order(self) -> list[str]:
        """The ids, in the order of their effects."""
        return list(self.effects)

    def up(self) -> None:
        """It listens."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status = receiver._takes(dict(self.headers), body)
                self.send_response(status)
                if status // 100 == 3:
                    self.send_header("location", f"http://127.0.0.1:{receiver.port}/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class's name
                """Logs nothing."""

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def down(self) -> None:
        """Its port refuses connections."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def close(self) -> None:
        self.down()
        self._held.close()

    def _takes(self, headers: dict[str, str], body: bytes) -> int:
        id_ = {name.lower(): value for name, value in headers.items()}.get("webhook-id", "")
        self.requests.append(id_)
        if self.delay is not None:
            self.delay.wait(10)
        status = self.answers(id_)
        if status // 100 != 2:
            return status
        try:
            found = standardwebhooks.Webhook(SECRET).verify(body, headers)
        except standardwebhooks.WebhookVerificationError as error:
            self.unsigned.append(f"{id_}: {error}")
            return 401
        self.effects.setdefault(id_, found)
        return status


@contextmanager
def receiving(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver that is up, whose own clock is `clock`: it refuses requests that are five minutes off."""

    class Now(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Now":
            return cls.fromtimestamp(clock() / 1e6, tz)

    monkeypatch.setattr(webhooks, "datetime", Now)
    receiver = Receiver()
    receiver.up()
    try:
        yield receiver
    finally:
        receiver.close()


def notifying(settings: Settings, url: str, **more: object) -> Settings:
    """The settings with a webhook."""
    values = {"url": url, "secret": SECRET, "retry_min_seconds": 0.01, "retry_max_seconds": 0.02, **more}
    return settings.model_copy(update={"notify": NotifySettings.model_validate(values)})
