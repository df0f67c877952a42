"""Answers a customer's history: a series over days, weeks or months."""

from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from common.algebra.merge import add_up
from serving_layer.answer.answers import Answers
from serving_layer.answer.steps import MOST_STEPS, series, steps_in
from serving_layer.caching import conditional
from serving_layer.inputs import checked_as_of, checked_day
from serving_layer.problems import InvalidRequest
from serving_layer.routes import examples
from serving_layer.routes.shared import AWAY, UNCHANGED, UNKNOWN, Customer, IfNoneMatch, OnlyExact, checked, tag
from serving_layer.schemas.history import Grain, History

DEFAULT_DAYS: Final = 365
"""The days before `to` at which a range begins that names no `from`."""
_FROM: Final = (
    f"the first day, included; by default {DEFAULT_DAYS} days before `to`, but not before 1970-01-01 unless `to` is"
)
_TO: Final = "the last day, included; not after today (UTC), which is the default"


def histories(answers: Answers) -> APIRouter:
    """Returns the route `/v1/customers/{id}/history`."""
    router = APIRouter(prefix="/v1/customers", tags=["customers"])

    @router.get(
        "/{customer_id:anytext}/history",
        response_model=History,
        responses={**examples.shown(**examples.history()), **AWAY, **UNKNOWN, **UNCHANGED},
        description="Revenue, orders, refunds, tickets and engagement by day, week (from Monday) or month. Every step "
        f"of the range has an entry; a range has at most {MOST_STEPS} steps.",
    )
    async def history(
        customer_id: Customer,
        only_exact: OnlyExact,
        from_: Annotated[str | None, Query(alias="from", description=_FROM, examples=["2026-01-01"])] = None,
        to: Annotated[str | None, Query(description=_TO, examples=["2026-11-23"])] = None,
        grain: Annotated[Grain, Query(description="the length of a step")] = "day",
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        last = checked_as_of(to, answers.today(), field="to")
        first = _first(from_, last)
        _check_range(first, last, grain)
        answer, parts = await answers.with_parts(customer_id, last)
        checked(answer, only_exact=only_exact)
        body = History(
            customer_id=customer_id,
            from_=first,
            to=last,
            grain=grain,
            series=[] if parts is None else series(add_up(parts).state, first, last, grain),
            provenance=answer.provenance,
        )
        return conditional(encoded(body), tag(answer, "history", first, last, grain), if_none_match)

    return router


def encoded(body: History) -> dict[str, object]:
    """Returns the body by the names of its members: `from` is a word of Python's own."""
    names = {"customer_id": "customer_id", "from_": "from", "to": "to", "grain": "grain"}
    head = {name: getattr(body, field) for field, name in names.items()}
    return {**head, "series": body.series, "provenance": body.provenance}


def _first(text: str | None, last: date) -> date:
    if text is None:
        earliest = min(last, date(1970, 1, 1))
        return date.fromordinal(max(last.toordinal() - DEFAULT_DAYS, earliest.toordinal()))
    return checked_day(text, "from")


def _check_range(first: date, last: date, grain: Grain) -> None:
    """Raises InvalidRequest if the range ends before it begins, or has too many steps."""
    if first > last:
        raise InvalidRequest("from", first.isoformat(), f"not later than `to`, {last.isoformat()}")
    steps = steps_in(first, last, grain)
    if steps > MOST_STEPS:
        rule = f"a range of at most {MOST_STEPS} steps, and these are {steps}: choose a later day or a coarser grain"
        raise InvalidRequest("from", first.isoformat(), rule)
