"""Answers lists of customers, from the rankings of the last batch."""

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query, Response

from common.algebra.metrics import RANKED
from common.algebra.rankings import Ranked, RankingKey, Scope
from serving_layer import cursors
from serving_layer.answer.listing import RISK_METRIC, Listing, Wish, listing, ranked
from serving_layer.answer.provenance import batch_info
from serving_layer.inputs import checked_customer_id
from serving_layer.problems import InvalidRequest, documented_problem
from serving_layer.read.reading import PIN_ATTEMPTS
from serving_layer.read.store import SlotReused, StoreSource, UnknownBatch, ViewStore
from serving_layer.routes import examples
from serving_layer.routes.shared import AWAY, Cursor, Limit, json_response
from serving_layer.schemas.listed import Listed

_RANKABLE: Final = tuple(metric.name for metric in RANKED)
_RANK_BY: Final = f"the greatest value first, of one of {', '.join(_RANKABLE)}; total_revenue without it"
_AT_RISK: Final = f"`true`: only customers at risk, who are ranked by {RISK_METRIC}"
_PREFIX: Final = "only ids that begin so, in the order of the ids; looks through every ranking, and for this very id"
_MOST_CHARACTERS: Final = 64
_NOT_RANKED: Final[dict[int | str, dict[str, Any]]] = {404: documented_problem("no batch has its rankings yet")}


class _End(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ended: the batch that it is from, and how many customers of its list came so far."""

    batch_id: int
    count: Annotated[int, msgspec.Meta(ge=1, le=100_000)]


def listed_customers(source: StoreSource) -> APIRouter:
    """Returns the route `/v1/customers`."""
    router = APIRouter(prefix="/v1", tags=["customers"])

    documented = {**examples.shown(**examples.customers()), **AWAY, **_NOT_RANKED}

    @router.get("/customers", response_model=Listed, responses=documented)
    async def list_customers(
        rank_by: Annotated[str | None, Query(description=_RANK_BY, examples=["total_revenue"])] = None,
        segment: Annotated[str | None, Query(description="only this segment's ranking")] = None,
        country: Annotated[str | None, Query(description="only this country's ranking: ISO 3166 alpha-2")] = None,
        prefix: Annotated[str | None, Query(description=_PREFIX)] = None,
        *,
        at_risk: Annotated[bool, Query(description=_AT_RISK)] = False,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        """Customers as the last batch ranked them: without the deltas since, and only those in a ranking."""
        wish = Wish(_key(rank_by, segment, country, at_risk=at_risk), at_risk=at_risk, prefix=_prefix(prefix))
        end = None if cursor is None else cursors.decode(cursor, _End)
        of, found = await _found(source(), wish, end, cursor)
        begin = 0 if end is None else end.count
        shown = found.customers[begin : begin + limit]
        reached = begin + len(shown)
        info = batch_info(of.batch)
        assert info is not None  # noqa: S101 # for the type checker: there is a batch
        return json_response(
            Listed(
                rank_by=wish.key.metric,
                items=list(shown),
                next_cursor=cursors.encode(_End(of.batch.batch_id, reached))
                if reached < len(found.customers)
                else None,
                complete=found.complete,
                batch=info,
                as_of=of.slot.as_of,
            )
        )

    return router


async def _found(store: ViewStore, wish: Wish, end: _End | None, cursor: str | None) -> tuple[Ranked, Listing]:
    """Returns the whole list, and the batch that it is from. Raises UnknownBatch while no batch has rankings.

    Raises InvalidRequest for a cursor of another batch's list, SlotReused if the slot is reused faster than it is read.
    """
    for _ in range(PIN_ATTEMPTS):
        pin, of = await ranked(store)
        if of is None:
            raise UnknownBatch("no batch has its rankings yet; `lambda360 batch run` makes them")
        if end is not None and end.batch_id != of.batch.batch_id:
            rule = f"of a list of the batch that is ranked now, {of.batch.batch_id}: begin without a cursor"
            raise InvalidRequest("cursor", cursor, rule)
        try:
            return of, await listing(store, pin, of, wish)
        except SlotReused:
            continue
    raise SlotReused(f"the rankings were overwritten during each of {PIN_ATTEMPTS} reads")


def _key(rank_by: str | None, segment: str | None, country: str | None, *, at_risk: bool) -> RankingKey:
    """Returns the ranking that is read. Raises InvalidRequest for what no ranking answers."""
    if at_risk and rank_by not in (None, RISK_METRIC):
        raise InvalidRequest("rank_by", rank_by, f"customers at risk are ranked by {RISK_METRIC} alone")
    metric = RISK_METRIC if at_risk else rank_by or "total_revenue"
    if metric not in _RANKABLE:
        raise InvalidRequest("rank_by", metric, f"a metric by which customers are ranked: {', '.join(_RANKABLE)}")
    if segment is not None and country is not None:
        raise InvalidRequest("country", country, "a list is of a segment or of a country, not of both")
    if segment is not None:
        return RankingKey(metric, Scope.SEGMENT, _encodable("segment", segment))
    if country is not None:
        return RankingKey(metric, Scope.COUNTRY, _encodable("country", country))
    return RankingKey(metric)


def _prefix(text: str | None) -> str:
    return "" if text is None else checked_customer_id(text, "prefix")


def _encodable(field: str, text: str) -> str:
    """Returns the name of a segment or country. Raises InvalidRequest if none can have it."""
    if not text or len(text) > _MOST_CHARACTERS:
        raise InvalidRequest(field, text, f"1 to {_MOST_CHARACTERS} characters")
    return text
