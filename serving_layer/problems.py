"""Answers errors as RFC 9457 `application/problem+json`: one shape for all of them, and no traceback."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from common.errors import BatchError, FieldError, Lambda360Error, LogError, LogUnavailable, StoreUnavailable
from serving_layer.read.store import TooManyDeltas, UnknownBatch
from serving_layer.request_ids import HEADER, KEY
from serving_layer.schemas.provenance import Provenance

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 1
_MAX_ECHO: Final = 200
_READABLE: Final = "a JSON object in UTF-8, not deeply nested, without numbers of thousands of digits"
_UNREADABLE: Final = (ValueError, RecursionError)
"""Causes for which FastAPI answers 400 to a body that is not so."""


class InvalidRequest(FieldError):
    """An input of the request breaks a rule: a 422 that names field, value and rule."""


class UnknownCustomer(Lambda360Error):
    """Neither layer has a current fact of the customer: a 404. `provenance` says how complete the views are."""

    def __init__(self, customer_id: str, provenance: Provenance) -> None:
        self.customer_id = customer_id
        self.provenance = provenance
        super().__init__(f"no current fact of customer {customer_id!r} is known")


class NotReady(Lambda360Error):
    """The process runs, but cannot answer requests yet: a 503 with the reasons."""

    def __init__(self, reasons: list[str]) -> None:
        self.reasons = reasons
        super().__init__("; ".join(reasons))


class Degraded(Lambda360Error):
    """The client takes exact answers only, and this one is degraded: a 503 with its reasons."""

    def __init__(self, customer_id: str, provenance: Provenance) -> None:
        self.customer_id = customer_id
        self.provenance = provenance
        super().__init__(f"the answer for customer {customer_id!r} is not exact: {'; '.join(provenance.reasons)}")


class Forbidden(Lambda360Error):
    """The caller may not do what the request asks for: a 403."""


def problem(
    request: Request,
    status: int,
    slug: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **members: object,
) -> Response:
    """Returns the response. `slug` names the kind of problem for programs, `detail` explains it to people.

    `members` are added to the body.
    """
    body = {
        "type": f"urn:lambda360:problem:{slug}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": echo(detail, limit=1000),
        "instance": request.scope.get("raw_path", b"").decode("ascii", "replace"),
        **members,
    }
    retry = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return Response(msgspec.json.encode(body), status, {**retry, **(headers or {})}, MEDIA_TYPE)


def documented_problem(description: str, examples: Mapping[str, object] | None = None) -> dict[str, Any]:
    """Returns the documentation of an error. The schema of its body is named, not made again for each route."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema, "examples": dict(examples or {})}}}


def encodable(text: str) -> str:
    """Returns `text` with lone surrogates written as escapes."""
    # A JSON request can spell them; a response in UTF-8 cannot.
    return text.encode("utf-8", "backslashreplace").decode()


def echo(value: object, limit: int = _MAX_ECHO) -> str:
    """Returns `value` as text for an error. A text longer than `limit` characters is cut, and its length appended."""
    text = encodable(value if isinstance(value, str) else repr(value))
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def install(app: FastAPI) -> None:
    """Registers a handler for every exception that can end a request. Each one answers with a problem."""
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    app.add_exception_handler(Exception, _defect)


async def answer_to(request: Request, error: Lambda360Error) -> Response:
    """Returns the problem that a registered handler makes of `error`. Raises it again if none is registered for it."""
    handler = next((_HANDLERS[kind] for kind in type(error).__mro__ if kind in _HANDLERS), None)
    if handler is None:
        raise error
    return await handler(request, error)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, FieldError)  # noqa: S101 # for the type checker: it was registered for this class
    return problem(
        request, 422, "invalid-request", str(error), field=error.field, value=echo(error.value), rule=error.rule
    )


async def _malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 # as above
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    if first["type"] == "json_invalid":
        return await _invalid(request, InvalidRequest("body", error.body, f"a JSON object: {first['ctx']['error']}"))
    if path == ["body"]:
        return await _invalid(request, InvalidRequest("body", error.body, "a JSON object, sent as application/json"))
    return await _invalid(request, InvalidRequest(".".join(path[1:]), first.get("input"), first["msg"]))


async def _unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, UnknownCustomer)  # noqa: S101 # as above
    return problem(
        request,
        404,
        "unknown-customer",
        str(error),
        customer_id=error.customer_id,
        provenance=error.provenance,
    )


async def _unavailable(request: Request, error: Exception) -> Response:
    return problem(request, 503, "store-unavailable", str(error))


async def _not_ready(request: Request, error: Exception) -> Response:
    assert isinstance(error, NotReady)  # noqa: S101 # as above
    return problem(request, 503, "not-ready", str(error), reasons=error.reasons)


async def _degraded(request: Request, error: Exception) -> Response:
    assert isinstance(error, Degraded)  # noqa: S101 # as above
    return problem(
        request,
        503,
        "degraded",
        str(error),
        reasons=error.provenance.reasons,
        customer_id=error.customer_id,
        provenance=error.provenance,
    )


async def _plain(status: int, slug: str, request: Request, error: Exception) -> Response:
    return problem(request, status, slug, str(error))


_PLAIN: Final[Mapping[type[Exception], tuple[int, str]]] = {
    UnknownBatch: (404, "unknown-batch"),
    TooManyDeltas: (503, "too-many-deltas"),
    Forbidden: (403, "forbidden"),
    BatchError: (409, "batch-conflict"),
    LogUnavailable: (503, "log-unavailable"),
    LogError: (503, "log-unavailable"),
}
"""Errors that say all in their text."""


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 # as above
    if error.status_code == HTTPStatus.BAD_REQUEST and isinstance(error.__cause__, _UNREADABLE):
        sent = getattr(error.__cause__, "object", b"").decode(errors="backslashreplace")  # it cannot be read again
        return await _invalid(request, InvalidRequest("body", sent, _READABLE))
    status = HTTPStatus(error.status_code)
    slug = status.phrase.lower().replace(" ", "-")
    detail = {404: "no such route; GET /openapi.json lists them", 405: f"{request.method} is not allowed here"}
    return problem(request, status, slug, detail.get(status, str(error.detail)), headers=error.headers)


_HANDLERS: Final[Mapping[type[Exception], Callable[[Request, Exception], Awaitable[Response]]]] = {
    FieldError: _invalid,
    RequestValidationError: _malformed,
    UnknownCustomer: _unknown,
    StoreUnavailable: _unavailable,
    NotReady: _not_ready,
    Degraded: _degraded,
    **{kind: partial(_plain, status, slug) for kind, (status, slug) in _PLAIN.items()},
    HTTPException: _http,
}


async def _defect(request: Request, _: Exception) -> Response:
    """Starlette raises the exception again, so that the server logs the traceback."""
    return defect(request)


def defect(request: Request) -> Response:
    """Returns the answer to a request that met a defect. It tells the client nothing of the exception."""
    detail = "an unexpected error; the server's log has the details"
    return problem(request, 500, "internal-error", detail, headers={HEADER: str(request.scope.get(KEY, ""))})
