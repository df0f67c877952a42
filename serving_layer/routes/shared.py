"""What the routes about one customer share: its id in the path, their documented errors, and how they encode."""

from typing import Annotated, Any, Final

import msgspec
from fastapi import Depends, Path, Query, Request, Response
from starlette.convertors import Convertor, register_url_convertor

from common.log.texts import CUSTOMER_ID_RULE
from serving_layer.inputs import checked_customer_id, checked_spelling
from serving_layer.schemas.problems import Problem

AWAY: Final[dict[int | str, dict[str, Any]]] = {
    503: {"model": Problem, "description": "the store does not answer; ask again"}
}
UNKNOWN: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": Problem, "description": "no fact of the customer is known; `provenance` says how complete that is"}
}
AsOf = Annotated[
    str | None,
    Query(
        description="a day, not after today (UTC), which is the default; facts of later days are left out",
        examples=["2026-11-23"],
    ),
]


class _AnyText(Convertor[str]):
    """Matches any text, even empty or with a slash: a wrong id is answered with a 422 and its rule, not with a 404."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("anytext", _AnyText())


async def _customer(
    request: Request,
    customer_id: Annotated[str, Path(description=f"percent-encoded: {CUSTOMER_ID_RULE}", examples=["00001"])],
) -> str:
    checked_spelling(request.scope["raw_path"])
    return checked_customer_id(customer_id)


Customer = Annotated[str, Depends(_customer)]
"""The id in a path `/v1/customers/{customer_id:anytext}/…`. Raises InvalidRequest if no customer can have it."""


def json_response(content: object, cache_control: str = "no-store") -> Response:
    """Returns `content` as JSON."""
    return Response(
        msgspec.json.encode(content), media_type="application/json", headers={"Cache-Control": cache_control}
    )
