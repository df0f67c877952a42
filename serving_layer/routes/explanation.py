"""Answers why a customer's metrics are what they are, and what every metric means."""

from fastapi import APIRouter, Response

from common.algebra.metrics import METRICS
from serving_layer.answer.answers import Answers
from serving_layer.answer.explained import FORMULAS, MOST_DELTAS, batch_part, listed, measure_sums
from serving_layer.caching import conditional
from serving_layer.inputs import checked_as_of
from serving_layer.routes import examples
from serving_layer.routes.shared import (
    AWAY,
    UNCHANGED,
    UNKNOWN,
    AsOf,
    Customer,
    IfNoneMatch,
    OnlyExact,
    checked,
    json_response,
    tag,
)
from serving_layer.schemas.catalogue import Catalogue, MetricInfo
from serving_layer.schemas.explanation import Explanation

_CATALOGUE = Catalogue([MetricInfo(each.name, each.unit, each.definition, each.rule, each.ranked) for each in METRICS])


def explanations(answers: Answers) -> APIRouter:
    """Returns the routes `/v1/customers/{id}/explain` and `/v1/metrics`."""
    router = APIRouter(prefix="/v1")

    @router.get(
        "/customers/{customer_id:anytext}/explain",
        response_model=Explanation,
        responses={**examples.shown(**examples.explanation()), **AWAY, **UNKNOWN, **UNCHANGED},
        tags=["customers"],
    )
    async def explain(
        customer_id: Customer, only_exact: OnlyExact, as_of: AsOf = None, if_none_match: IfNoneMatch = None
    ) -> Response:
        """What the metrics are added up from: the batch's part, each delta since, the sums, and the formulas."""
        day = checked_as_of(as_of, answers.today())
        answer, parts = await answers.with_parts(customer_id, day)
        checked(answer, only_exact=only_exact)
        body = Explanation(
            customer_id=customer_id,
            as_of=day,
            batch=None if parts is None else batch_part(parts, answer.provenance.batch, day),
            deltas=[] if parts is None else listed(parts, answer.provenance.log.partition),
            deltas_left_out=0 if parts is None else max(len(parts.live) - MOST_DELTAS, 0),
            measures=[] if parts is None else measure_sums(parts, day),
            metrics=answer.metrics,
            profile=answer.profile,
            formulas=FORMULAS,
            provenance=answer.provenance,
        )
        return conditional(body, tag(answer, "explain", day), if_none_match)

    @router.get("/metrics", response_model=Catalogue, responses=examples.shown(catalogue=_CATALOGUE), tags=["metrics"])
    async def catalogue() -> Response:
        """Every metric: its unit, what it means, its formula, and whether customers can be ranked by it."""
        return json_response(_CATALOGUE)

    return router
