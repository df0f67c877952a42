"""Answers the metrics of one customer, whichever way the request came: by its route, or past the framework."""

from typing import NamedTuple

from fastapi import Response

from serving_layer.answer.answers import Answers
from serving_layer.answer.kept import KeptBatches
from serving_layer.caching import conditional
from serving_layer.inputs import checked_as_of, checked_fields
from serving_layer.routes.shared import checked, tag
from serving_layer.schemas.answers import CustomerMetrics


class Asked(NamedTuple):
    """What a request asks for, as it was sent; only the customer's id was checked."""

    customer_id: str
    as_of: str | None
    fields: str | None
    batch: int | None
    only_exact: bool
    if_none_match: str | None


async def metrics_of_one(answers: Answers, kept: KeptBatches, asked: Asked) -> Response:
    """Returns the customer's metrics, or 304. Raises what `routes.customers` documents as problems."""
    day = checked_as_of(asked.as_of, answers.today())
    names = checked_fields(asked.fields)
    if asked.batch is None:
        (answer,) = await answers.of([asked.customer_id], day)
    else:
        answer = await kept.of(asked.customer_id, day, asked.batch)
    checked(answer, only_exact=asked.only_exact)
    body = CustomerMetrics(
        customer_id=asked.customer_id,
        as_of=day,
        metrics=answer.metrics if names is None else {name: answer.metrics[name] for name in names},
        profile=answer.profile,
        provenance=answer.provenance,
    )
    return conditional(body, tag(answer, day, names, asked.batch), asked.if_none_match)
