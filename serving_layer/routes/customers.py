"""Answers customers' metrics, one at a time or many."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from starlette.convertors import Convertor, register_url_convertor

from common.log.texts import CUSTOMER_ID_RULE
from serving_layer.answer.answers import Answer, Answers
from serving_layer.inputs import CheckedRoute, checked_as_of, checked_customer_id, checked_spelling
from serving_layer.problems import InvalidRequest, UnknownCustomer, echo, encodable
from serving_layer.schemas.answers import (
    BatchGet,
    BatchGetResults,
    CustomerMetrics,
    Entry,
    EntryError,
    FailedEntry,
)
from serving_layer.schemas.problems import Problem

_AWAY: Final[dict[int | str, dict[str, Any]]] = {
    503: {"model": Problem, "description": "the store does not answer; ask again"}
}
_UNKNOWN: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": Problem, "description": "no fact of the customer is known; `provenance` says how complete that is"}
}
_AS_OF: Final = "a day, not after today (UTC), which is the default; facts of later days are left out"


class _AnyText(Convertor[str]):
    """Matches any text, even empty or with a slash: a wrong id is answered with a 422 and its rule, not with a 404."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("anytext", _AnyText())


def customers(answers: Answers, batch_get_max: int) -> APIRouter:
    """Returns the routes under `/v1/customers`; a batch-get takes at most `batch_get_max` ids."""
    router = APIRouter(prefix="/v1/customers", tags=["customers"], route_class=CheckedRoute)

    @router.get("/{customer_id:anytext}/metrics", response_model=CustomerMetrics, responses={**_AWAY, **_UNKNOWN})
    async def get_metrics(
        request: Request,
        customer_id: Annotated[str, Path(description=f"percent-encoded: {CUSTOMER_ID_RULE}", examples=["00001"])],
        as_of: Annotated[str | None, Query(description=_AS_OF, examples=["2026-11-23"])] = None,
    ) -> Response:
        """One customer's metrics, merged from both layers, with their provenance."""
        checked_spelling(request.scope["raw_path"])
        day = checked_as_of(as_of, answers.today())
        answer = (await answers.of([checked_customer_id(customer_id)], day))[0]
        if not answer.known:
            raise UnknownCustomer(customer_id, answer.provenance)
        return _json(
            CustomerMetrics(
                customer_id=customer_id,
                as_of=day,
                metrics=answer.metrics,
                profile=answer.profile,
                provenance=answer.provenance,
            )
        )

    @router.post("/metrics:batch-get", response_model=BatchGetResults, responses=_AWAY)
    async def batch_get(asked: BatchGet) -> Response:
        """Many customers' metrics, all from one batch view, in the order asked. A wrong id fails alone."""
        if len(asked.customer_ids) > batch_get_max:
            raise InvalidRequest("customer_ids", f"{len(asked.customer_ids)} ids", f"at most {batch_get_max} at once")
        day = checked_as_of(asked.as_of, answers.today())
        wrong = {customer: error for customer in asked.customer_ids if (error := _error_in(customer))}
        valid = [customer for customer in dict.fromkeys(asked.customer_ids) if customer not in wrong]
        found = {answer.customer_id: answer for answer in await answers.of(valid, day)}
        return _json(BatchGetResults(day, [_entry(customer, found, wrong) for customer in asked.customer_ids]))

    return router


def _error_in(customer: str) -> EntryError | None:
    try:
        checked_customer_id(customer)
    except InvalidRequest as error:
        return EntryError(error.field, echo(error.value), error.rule)
    return None


def _entry(customer: str, found: Mapping[str, Answer], wrong: Mapping[str, EntryError]) -> Entry | FailedEntry:
    if customer in wrong:
        return FailedEntry(
            customer_id=encodable(customer),
            status="error",
            metrics=None,
            profile=None,
            provenance=None,
            error=wrong[customer],
        )
    answer = found[customer]
    return Entry(
        customer_id=customer,
        status="ok" if answer.known else "unknown",
        metrics=answer.metrics if answer.known else None,
        profile=answer.profile if answer.known else None,
        provenance=answer.provenance,
    )


def _json(content: CustomerMetrics | BatchGetResults) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(msgspec.json.encode(content), media_type="application/json", headers=headers)
