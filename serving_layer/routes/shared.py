"""What the routes about one customer share: its id in the path, their documented errors, and how they encode."""

from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import Depends, Header, Path, Query, Request, Response
from starlette.convertors import Convertor, register_url_convertor

from common.algebra.versions import logic_version
from common.log.texts import CUSTOMER_ID_RULE
from serving_layer.answer.answers import Answer
from serving_layer.caching import tag_of
from serving_layer.inputs import checked_customer_id, checked_spelling
from serving_layer.problems import Degraded, UnknownCustomer, documented_problem

Documented = dict[int | str, dict[str, Any]]


def _documented(status: int, slug: str, description: str, detail: str) -> Documented:
    """Returns the documentation of a problem, with an example."""
    example = {
        "type": f"urn:lambda360:problem:{slug}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": "/v1/customers/00001/metrics",
    }
    return {status: documented_problem(description, {slug: {"value": example}})}


AWAY: Final = _documented(
    503,
    "store-unavailable",
    "the store does not answer, ask again; or `degraded`, where only an exact answer will do",
    "Cassandra at 127.0.0.1:19362 does not answer",
)
UNKNOWN: Final = _documented(
    404,
    "unknown-customer",
    "no fact of the customer is known; `provenance` says how complete that is",
    "no current fact of customer '00001' is known",
)
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


def prefers_exact(prefer: str | None) -> bool:
    """Returns whether `exact` is among what a header Prefer (RFC 7240) lists."""
    return prefer is not None and "exact" in (part.partition(";")[0].strip().lower() for part in prefer.split(","))


async def _only_exact(
    require: Annotated[
        Literal["exact"] | None, Query(description="`exact`: a degraded answer is a 503 with its reasons")
    ] = None,
    prefer: Annotated[str | None, Header(description="`exact`: the same as `?require=exact`")] = None,
) -> bool:
    return require == "exact" or prefers_exact(prefer)


Limit = Annotated[int, Query(ge=1, le=500, description="items in a page, at most")]
Cursor = Annotated[str | None, Query(description="the `next_cursor` of the page before, unchanged")]
OnlyExact = Annotated[bool, Depends(_only_exact)]
"""Whether the client takes exact answers only."""
IfNoneMatch = Annotated[str | None, Header(description="tags of answers that the client has: 304 if one still holds")]
UNCHANGED: Final[Documented] = {304: {"description": "the client's answer still holds"}}


def checked(answer: Answer, *, only_exact: bool) -> Answer:
    """Returns the answer. Raises UnknownCustomer or, where only an exact one will do, Degraded."""
    refuse_degraded(answer, only_exact=only_exact)
    if not answer.known:
        raise UnknownCustomer(answer.customer_id, answer.provenance)
    return answer


def refuse_degraded(answer: Answer, *, only_exact: bool) -> None:
    """Raises Degraded for a degraded answer where only an exact one will do."""
    if only_exact and answer.provenance.status != "exact":
        raise Degraded(answer.customer_id, answer.provenance)


def tag(answer: Answer, *shown: object) -> str:
    """Returns the tag of an answer, of which the request chose to show `shown`."""
    said = answer.provenance
    return tag_of(answer.customer_id, answer.basis, logic_version(), said.status, said.reason_names, *shown)


def json_response(content: object, cache_control: str = "no-store") -> Response:
    """Returns `content` as JSON."""
    return Response(
        msgspec.json.encode(content), media_type="application/json", headers={"Cache-Control": cache_control}
    )
