"""The dependency of routes that change something, and what the OpenAPI document says of keys.

`dependencies=[Depends(admin)]`, with `responses=ADMIN_REFUSED`, makes a route one that needs the scope admin.
"""

from typing import Annotated, Any, Final

from fastapi import Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from serving_layer.access.keys import Caller
from serving_layer.schemas.problems import Problem

CALLER: Final = "lambda360.caller"
"""The key of a request's scope under which its `Caller` stands, if it has sent a key."""
CHALLENGE: Final = {"WWW-Authenticate": "Bearer"}
REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    401: {"model": Problem, "description": "no API key was sent, or one that is not known"},
    429: {
        "model": Problem,
        "description": "the key has sent as many requests as it may: `Retry-After` has the seconds",
    },
}
"""What any route may answer, for the OpenAPI document."""
ADMIN_REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    **REFUSED,
    403: {"model": Problem, "description": "the API key has the scope read, and this needs admin"},
}
"""Likewise, of a route with the dependency `admin`."""

KEY_HEADER: Final = APIKeyHeader(name="X-API-Key", scheme_name="ApiKey", auto_error=False)
BEARER: Final = HTTPBearer(scheme_name="Bearer", auto_error=False)


async def admin(
    request: Request,
    _key: Annotated[str | None, Security(KEY_HEADER)],
    _bearer: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)],
) -> str:
    """Returns who calls, as the journal names them: `key 1a2b3c4d`. On loopback, too, a key is needed.

    Raises a 401 without a key, and a 403 for a key of the scope read.
    """
    # The guard has recognized the key; the other parameters declare to OpenAPI how one is sent.
    caller: Caller | None = request.scope.get(CALLER)
    if caller is None:
        text = "this needs an API key of the scope admin: X-API-Key, or Authorization: Bearer"
        raise HTTPException(401, text, CHALLENGE)
    if caller.scope != "admin":
        raise HTTPException(403, f"key {caller.id} has the scope {caller.scope}; this needs the scope admin")
    return f"key {caller.id}"
