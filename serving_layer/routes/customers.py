"""Answers customers' metrics, one at a time or many."""

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from serving_layer.answer.answers import Answer, Answers
from serving_layer.answer.kept import KeptBatches
from serving_layer.inputs import CheckedRoute, checked_as_of, checked_customer_id
from serving_layer.problems import InvalidRequest, echo, encodable
from serving_layer.routes import examples
from serving_layer.routes.one_customer import Asked, metrics_of_one
from serving_layer.routes.shared import (
    AWAY,
    UNCHANGED,
    UNKNOWN,
    AsOf,
    Customer,
    IfNoneMatch,
    OnlyExact,
    json_response,
    refuse_degraded,
)
from serving_layer.schemas.answers import (
    BatchGet,
    BatchGetResults,
    CustomerMetrics,
    Entry,
    EntryError,
    FailedEntry,
)

_FIELDS: Final = "metrics to answer, by name, separated by commas; all of them without it"
_BATCH: Final = (
    "a kept batch's id: the answer is that batch's alone, as it was known then, without anything that came since"
)


def customers(answers: Answers, kept: KeptBatches, batch_get_max: int) -> APIRouter:
    """Returns the routes of metrics under `/v1/customers`; a batch-get takes at most `batch_get_max` ids."""
    router = APIRouter(prefix="/v1/customers", tags=["customers"], route_class=CheckedRoute)

    @router.get(
        "/{customer_id:anytext}/metrics",
        response_model=CustomerMetrics,
        responses={**examples.shown(**examples.metrics()), **AWAY, **UNKNOWN, **UNCHANGED},
    )
    async def get_metrics(
        customer_id: Customer,
        only_exact: OnlyExact,
        as_of: AsOf = None,
        fields: Annotated[str | None, Query(description=_FIELDS, examples=["total_revenue,at_risk"])] = None,
        batch: Annotated[int | None, Query(ge=1, description=_BATCH)] = None,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """One customer's metrics, merged from both layers, with their provenance."""
        asked = Asked(customer_id, as_of, fields, batch, only_exact=only_exact, if_none_match=if_none_match)
        return await metrics_of_one(answers, kept, asked)

    @router.post(
        "/metrics:batch-get",
        response_model=BatchGetResults,
        responses={**examples.shown(**examples.batch_get()), **AWAY},
    )
    async def batch_get(asked: BatchGet, only_exact: OnlyExact) -> Response:
        """Many customers' metrics, all from one batch view, in the order asked. A wrong id fails alone.

        Where only exact answers will do, one that is degraded fails the whole request.
        """
        if len(asked.customer_ids) > batch_get_max:
            raise InvalidRequest("customer_ids", f"{len(asked.customer_ids)} ids", f"at most {batch_get_max} at once")
        day = checked_as_of(asked.as_of, answers.today())
        wrong = {customer: error for customer in asked.customer_ids if (error := _error_in(customer))}
        valid = [customer for customer in dict.fromkeys(asked.customer_ids) if customer not in wrong]
        found = {answer.customer_id: answer for answer in await answers.of(valid, day)}
        for answer in found.values():
            refuse_degraded(answer, only_exact=only_exact)
        return json_response(BatchGetResults(day, [_entry(customer, found, wrong) for customer in asked.customer_ids]))

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
