"""Answers a customer's entities as they stand now, with their place in the log and where they came from."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Response

from common.algebra.payloads import PAYLOADS
from common.log.position import Position
from common.log.wire import ALIASES
from serving_layer import cursors
from serving_layer.answer import facts
from serving_layer.answer.answers import Answers
from serving_layer.answer.facts import End, TooMany
from serving_layer.problems import InvalidRequest
from serving_layer.read.store import StoreSource
from serving_layer.read.topics import Topics
from serving_layer.routes import examples
from serving_layer.routes.shared import AWAY, UNKNOWN, Cursor, Customer, Limit, OnlyExact, checked, json_response
from serving_layer.schemas.facts import Facts
from serving_layer.schemas.provenance import Provenance, ReasonName

_KINDS = ", ".join((*PAYLOADS, *ALIASES))


def listed_facts(answers: Answers, source: StoreSource, topics: Topics) -> APIRouter:
    """Returns the route `/v1/customers/{id}/facts`."""
    router = APIRouter(prefix="/v1/customers", tags=["customers"])

    @router.get(
        "/{customer_id:anytext}/facts",
        response_model=Facts,
        responses={**examples.shown(**examples.facts()), **AWAY, **UNKNOWN},
        description="Orders, refunds, tickets, marketing events and the profile as they stand now: retracted ones say "
        f"so. The newest first for a customer of at most {facts.SORTED} facts (of the kind asked for), else in the "
        "order of kind and id; `order` says which.",
    )
    async def list_facts(
        customer_id: Customer,
        only_exact: OnlyExact,
        kind: Annotated[str | None, Query(description=f"one of {_KINDS}; all without it")] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        of_kind = _kind(kind)
        after = None if cursor is None else cursors.decode(cursor, End)
        # The provenance is read first: all that it says is complete is then in the facts.
        answer = checked((await answers.of([customer_id], answers.today()))[0], only_exact=only_exact)
        store, generation = source().details, answer.basis.generation
        try:
            page = await facts.page(store, generation, customer_id, kind=of_kind, after=after, most=limit)
        except TooMany as error:
            rule = f"of a customer of at most {facts.SORTED} facts, and there are more by now: begin without a cursor"
            raise InvalidRequest("cursor", cursor, rule) from error
        partition = answer.provenance.log.partition
        places = [Position(partition, each.fact.offset) for each in page.found]
        origins = await facts.origins(store, topics, generation, customer_id, places)
        return json_response(
            Facts(
                customer_id=customer_id,
                order="newest_first" if page.is_sorted else "by_kind_and_id",
                items=[facts.item(each, at, origins.get(at)) for each, at in zip(page.found, places, strict=True)],
                next_cursor=None if page.end is None else cursors.encode(page.end),
                provenance=_with_unreadable(answer.provenance, page.unreadable),
            )
        )

    return router


def _kind(text: str | None) -> str | None:
    kind = ALIASES.get(text, text) if text is not None else None
    if kind is not None and kind not in PAYLOADS:
        raise InvalidRequest("kind", text, f"one of {_KINDS}")
    return kind


def _with_unreadable(provenance: Provenance, unreadable: int) -> Provenance:
    """Returns the provenance of a page that lacks facts which this release cannot read: it is degraded."""
    if not unreadable:
        return provenance
    text = f"{unreadable} stored facts cannot be read by this release, and are left out"
    return replace(
        provenance,
        status="degraded",
        reasons=[*provenance.reasons, text],
        reason_names=[*provenance.reason_names, ReasonName.UNREADABLE_CELL],
    )
