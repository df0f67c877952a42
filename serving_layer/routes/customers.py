"""Answers customers' metrics, one at a time or many."""

from collections.abc import Mapping

from fastapi import APIRouter, Response

from serving_layer.answer.answers import Answer, Answers
from serving_layer.inputs import checked_as_of, checked_customer_id
from serving_layer.problems import InvalidRequest, UnknownCustomer, echo, encodable
from serving_layer.routes.shared import AWAY, UNKNOWN, AsOf, Customer, json_response
from serving_layer.schemas.answers import (
    BatchGet,
    BatchGetResults,
    CustomerMetrics,
    Entry,
    EntryError,
    FailedEntry,
)


def customers(answers: Answers, batch_get_max: int) -> APIRouter:
    """Returns the routes under `/v1/customers`; a batch-get takes at most `batch_get_max` ids."""
    router = APIRouter(prefix="/v1/customers", tags=["customers"])

    @router.get("/{customer_id:anytext}/metrics", response_model=CustomerMetrics, responses={**AWAY, **UNKNOWN})
    async def get_metrics(customer_id: Customer, as_of: AsOf = None) -> Response:
        """One customer's metrics, merged from both layers, with their provenance."""
        day = checked_as_of(as_of, answers.today())
        answer = (await answers.of([customer_id], day))[0]
        if not answer.known:
            raise UnknownCustomer(customer_id, answer.provenance)
        return json_response(
            CustomerMetrics(
                customer_id=customer_id,
                as_of=day,
                metrics=answer.metrics,
                profile=answer.profile,
                provenance=answer.provenance,
            )
        )

    @router.post("/metrics:batch-get", response_model=BatchGetResults, responses=AWAY)
    async def batch_get(asked: BatchGet) -> Response:
        """Many customers' metrics, all from one batch view, in the order asked. A wrong id fails alone."""
        if len(asked.customer_ids) > batch_get_max:
            raise InvalidRequest("customer_ids", f"{len(asked.customer_ids)} ids", f"at most {batch_get_max} at once")
        day = checked_as_of(asked.as_of, answers.today())
        wrong = {customer: error for customer in asked.customer_ids if (error := _error_in(customer))}
        valid = [customer for customer in dict.fromkeys(asked.customer_ids) if customer not in wrong]
        found = {answer.customer_id: answer for answer in await answers.of(valid, day)}
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
