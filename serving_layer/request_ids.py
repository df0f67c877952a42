"""Gives every request an id: the client's or a new one, which the response names, and which its log lines have."""

import re
from random import getrandbits
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER: Final = "X-Request-Id"
_NAME: Final = HEADER.lower().encode()
KEY: Final = "lambda360.request_id"
"""Where the scope of a request has its id: the answer to a defect is made outside of this middleware."""
_ID: Final = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
log = structlog.get_logger(__name__)


class RequestIds:
    """Answers with the header X-Request-Id, and logs each request that failed on our side with its id.

    The client's id is taken if it has 1 to 128 letters, digits and `._:/+=@-`; a new one is made otherwise. Nothing
    else of the request is logged: its path names a customer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on. Other kinds of connections pass as they are."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(next((value for name, value in scope["headers"] if name == _NAME), None))
        header = (_NAME, request_id.encode())
        is_logged = False

        async def named(message: Message) -> None:
            nonlocal is_logged
            if message["type"] == "http.response.start":
                kept = (each for each in message.get("headers", ()) if each[0] != _NAME)
                message["headers"] = [*kept, header]
                if message["status"] >= 500:
                    is_logged = True
                    log.warning("failed", request=request_id, method=scope["method"], status=message["status"])
            await send(message)

        scope[KEY] = request_id
        bound = structlog.contextvars.bind_contextvars(request=request_id)
        try:
            await self._app(scope, receive, named)
        except Exception:
            # The server logs the traceback, and one line of ours which request it is of.
            if not is_logged:
                log.warning("failed", request=request_id, method=scope["method"], status=500)
            raise
        finally:
            structlog.contextvars.reset_contextvars(**bound)


def _request_id(given: bytes | None) -> str:
    # An id need not be hard to guess, and uuid4 takes four times as long.
    return given.decode() if given is not None and _ID.fullmatch(given) else f"{getrandbits(128):032x}"
