"""Answers plainly spelled requests for one customer's metrics past the framework (ADR 42).

The framework's routing, parameters and exit stacks took 42 % of the process's time, more than the answer itself
(docs/measurements.md). Nothing is decided anew here: what is read from the request goes to the same functions as the
route's, and whatever is not plain goes to the route.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from common.errors import Lambda360Error
from serving_layer.answer.answers import Answers
from serving_layer.answer.kept import KeptBatches
from serving_layer.inputs import checked_customer_id
from serving_layer.problems import answer_to
from serving_layer.routes.one_customer import Asked, metrics_of_one
from serving_layer.routes.shared import prefers_exact

_PATH: Final = re.compile(rb"/v1/customers/([A-Za-z0-9._~-]+)/metrics")
_PARAMETER: Final = re.compile(rb"(as_of|fields|require)=([A-Za-z0-9_,.-]+)")
_HEADERS: Final = (b"prefer", b"if-none-match")


class Direct:
    """ASGI middleware. Answers `GET /v1/customers/{id}/metrics` where nothing in it is escaped, repeated or unknown."""

    def __init__(self, app: ASGIApp, answers: Answers, kept: KeptBatches) -> None:
        self._app = app
        self._answers = answers
        self._kept = kept

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = _plain(scope)
        if asked is None:
            await self._app(scope, receive, send)
            return
        try:
            checked_customer_id(asked.customer_id)
            response = await metrics_of_one(self._answers, self._kept, asked)
        except Lambda360Error as error:
            response = await answer_to(Request(scope), error)
        await response(scope, receive, send)


def _plain(scope: Scope) -> Asked | None:
    """Returns what a plainly spelled request asks for; None for every other one."""
    if scope["type"] != "http" or scope["method"] != "GET" or scope.get("root_path"):
        return None
    path = _PATH.fullmatch(scope["raw_path"])
    parameters = None if path is None else _parameters(scope["query_string"])
    headers = None if parameters is None else _headers(scope["headers"])
    if path is None or parameters is None or headers is None or parameters.get("require", "exact") != "exact":
        return None
    return Asked(
        customer_id=path[1].decode(),
        as_of=parameters.get("as_of"),
        fields=parameters.get("fields"),
        batch=None,
        only_exact="require" in parameters or prefers_exact(headers.get(b"prefer")),
        if_none_match=headers.get(b"if-none-match"),
    )


@lru_cache(maxsize=256)  # most requests of a client ask for the same day and fields
def _parameters(query: bytes) -> Mapping[str, str] | None:
    found: dict[str, str] = {}
    for part in query.split(b"&") if query else ():
        parameter = _PARAMETER.fullmatch(part)
        if parameter is None or (name := parameter[1].decode()) in found:
            return None
        found[name] = parameter[2].decode()
    return found


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[bytes, str] | None:
    """Returns those headers that bear on the answer; None if one is sent twice."""
    found: dict[bytes, str] = {}
    for name, value in raw:
        if name in _HEADERS:
            if name in found:
                return None
            found[name] = value.decode("latin-1")
    return found
