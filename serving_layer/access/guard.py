"""Stands before the application: checks host, key, rate and size of a request, and marks every answer.

It is plain ASGI, since it runs for each request.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving_layer.access.headers import marked
from serving_layer.access.keys import Caller
from serving_layer.access.policy import Policy
from serving_layer.access.scopes import CALLER, CHALLENGE
from serving_layer.problems import defect, problem

OPEN: Final = ("/healthz", "/readyz", "/openapi.json", "/docs", "/dashboard")
"""Paths, with what lies below them, that hold no customer's data: they never need a key. So does the page `/`."""
HOSTS: Final = 256
"""So many spellings of the header Host are remembered, with what was found; clients send few, each in every request."""
_HOST: Final = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


class Guard:
    """Middleware: answers a refused request itself, and hands every other one on."""

    def __init__(self, app: ASGIApp, policy: Policy) -> None:
        self._app = app
        self._policy = policy
        self._is_known = lru_cache(HOSTS)(self._knows)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        extra: list[tuple[bytes, bytes]] = []
        started = False

        async def send_marked(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = marked(message.get("headers", ()), scope, extra)
            await send(message)

        answer = self._checked(scope, extra) or self._app
        try:
            await answer(scope, self._counted(scope, receive), send_marked)
        except Exception:
            if not started:  # or Starlette would answer around this middleware, without the marks
                await defect(Request(scope))(scope, receive, send_marked)
            raise

    def _checked(self, scope: Scope, extra: list[tuple[bytes, bytes]]) -> Response | None:
        """Returns the answer to a request that is refused; else None, with its caller in `scope`.

        What is left of the caller's rate is appended to `extra`.
        """
        headers = _headers(scope["headers"])
        if not self._is_known(headers.get(b"host", b"")):
            text = "the header Host names another server; LAMBDA360_ACCESS_HOSTS lists further names of this one"
            return problem(Request(scope), 421, "unknown-host", text)
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._policy.max_body_bytes:
            text = f"the body has {int(length)} bytes; at most {self._policy.max_body_bytes} are read"
            return problem(Request(scope), 413, "content-too-large", text)
        return self._wrong_key(scope, headers) or self._too_often(scope, extra)

    def _counted(self, scope: Scope, receive: Receive) -> Receive:
        """Returns `receive`; it raises a 413 for a body that is too long where no header says how long it is."""
        if all(name != b"transfer-encoding" for name, _ in scope["headers"]):
            return receive
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._policy.max_body_bytes:
                raise HTTPException(413, f"the body is longer than {self._policy.max_body_bytes} bytes")
            return message

        return counted

    def _knows(self, host: bytes) -> bool:
        """Whether a header Host names this server."""
        # A page of another site, whose name was made to point here (DNS rebinding), cannot send another Host.
        found = _HOST.fullmatch(host.decode("latin-1"))
        return found is not None and (found[1].lower() in self._policy.hosts or _is_address(found[1]))

    def _wrong_key(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Response | None:
        key = _key(headers)
        if key is not None:
            caller = self._policy.keys.caller(key)
            if caller is None:
                return problem(Request(scope), 401, "unauthorized", "this API key is not known", headers=CHALLENGE)
            scope[CALLER] = caller
        elif self._policy.key_needed and not _is_open(scope["path"]):
            text = "this needs an API key: X-API-Key, or Authorization: Bearer"
            return problem(Request(scope), 401, "unauthorized", text, headers=CHALLENGE)
        return None

    def _too_often(self, scope: Scope, extra: list[tuple[bytes, bytes]]) -> Response | None:
        caller: Caller | None = scope.get(CALLER)
        if caller is None or self._policy.rate is None:
            return None
        left = self._policy.rate.take(caller.id)
        extra += left.headers
        if left.allowed:
            return None
        text = f"key {caller.id} has sent {self._policy.rate.per_minute} requests in this minute, as many as it may"
        retry = {"Retry-After": str(left.seconds)}
        return problem(Request(scope), 429, "too-many-requests", text, headers=retry)


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> Mapping[bytes, bytes]:
    """Returns the headers by name; of one that is sent twice both values, as a list that no check accepts."""
    found: dict[bytes, bytes] = {}
    for name, value in raw:
        found[name] = found[name] + b", " + value if name in found else value
    return found


def _key(headers: Mapping[bytes, bytes]) -> str | None:
    """Returns the key that was sent, right or wrong; None if there is none."""
    if b"x-api-key" in headers:
        return headers[b"x-api-key"].decode("latin-1")
    scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _is_open(path: str) -> bool:
    return path == "/" or any(path == each or path.startswith(f"{each}/") for each in OPEN)


def _is_address(host: str) -> bool:
    """Returns whether a host is an IP address, which no other site's name can stand for."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
