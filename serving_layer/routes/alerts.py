"""Answers alerts: of a customer from their table, of everybody from their topic."""

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Query, Response

from common.algebra.alerts import Alert, CustomerAtRisk, decode_alert
from common.algebra.dates import datetime_of
from common.log.copy_events import AlertEvent
from common.log.partition import partition_of
from common.log.position import Position
from serving_layer import cursors
from serving_layer.answer.readable import evidence
from serving_layer.inputs import checked_day
from serving_layer.problems import InvalidRequest
from serving_layer.read.details import AlertRow
from serving_layer.read.store import StoreSource
from serving_layer.read.topics import Topics
from serving_layer.routes import examples
from serving_layer.routes.shared import AWAY, Cursor, Customer, Limit, json_response
from serving_layer.schemas.alerts import AlertItem, Alerts

_DAY: Final = "the UTC day on which the alert was published, which is when its record was applied; all days without it"
_NEWEST: Final = (2**63 - 1, "")
Offset = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class _End(msgspec.Struct, frozen=True, array_like=True):
    """The last alert of a customer's page."""

    offset: Offset
    rule: str


class _Rest(msgspec.Struct, frozen=True, array_like=True):
    """Where a page of everybody's alerts ended: the day asked for, and by partition the offset below which to go on."""

    day: str | None
    below: dict[int, Offset]


def alerts(source: StoreSource, topics: Topics) -> APIRouter:
    """Returns the routes `/v1/customers/{id}/alerts` and `/v1/alerts`."""
    router = APIRouter(prefix="/v1", tags=["alerts"])

    documented = {**examples.shown(**examples.alerts()), **AWAY}

    @router.get("/customers/{customer_id:anytext}/alerts", response_model=Alerts, responses=documented)
    async def of_customer(customer_id: Customer, limit: Limit = 50, cursor: Cursor = None) -> Response:
        """One customer's alerts, the one that was raised last first; none of an unknown customer."""
        store = source()
        below = _NEWEST if cursor is None else msgspec.structs.astuple(cursors.decode(cursor, _End))
        pin = await store.pin()
        reset = (await store.details.reset_offsets(pin.pointer.generation, [customer_id])).get(customer_id, -1)
        rows = await store.details.alerts(customer_id, below, limit + 1)
        partition = partition_of(customer_id, pin.partitions)
        shown = rows[:limit]
        end = cursors.encode(_End(shown[-1].offset, shown[-1].rule)) if len(rows) > limit else None
        items = [_of_row(customer_id, partition, row) for row in shown if row.offset > reset]
        return json_response(Alerts([each for each in items if each is not None], end))

    @router.get("/alerts", response_model=Alerts, responses=documented)
    async def of_all(
        day: Annotated[str | None, Query(description=_DAY, examples=["2026-11-23"])] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        """Everybody's alerts, the one that was published last first; without those of erased customers."""
        rest = None if cursor is None else cursors.decode(cursor, _Rest)
        wanted = None if day is None else checked_day(day, "day")
        _check_same_day(rest, day, cursor)
        page = await topics.alerts(wanted, None if rest is None else rest.below, limit)
        store = source()
        pin = await store.pin()
        customers = {event.subject for event in page.events}
        resets = await store.details.reset_offsets(pin.pointer.generation, customers)
        events = {event.id: event for event in page.events if event.data.offset > resets.get(event.subject, -1)}
        end = None if page.rest is None else cursors.encode(_Rest(day, dict(page.rest)))
        return json_response(Alerts([_of_event(event) for event in events.values()], end))

    return router


def _check_same_day(rest: _Rest | None, day: str | None, cursor: str | None) -> None:
    """Raises InvalidRequest for a cursor that another day's list gave."""
    if rest is not None and rest.day != day:
        raise InvalidRequest("cursor", cursor, f"of a list with the same day, and this one is of {rest.day or 'all'}")


def _of_row(customer: str, partition: int, row: AlertRow) -> AlertItem | None:
    """Returns a stored alert; None for one of a rule that this release does not know."""
    try:
        alert = decode_alert(row.value)
    except msgspec.DecodeError:
        return None
    return _item(customer, Position(partition, row.offset), row.rule, alert)


def _of_event(event: AlertEvent) -> AlertItem:
    return _item(event.subject, event.data.position, event.id.rpartition(":")[2], event.data.alert)


def _item(customer: str, position: Position, rule: str, alert: Alert) -> AlertItem:
    apart = ("rule", "action", "occurred_at")
    return AlertItem(
        id=f"{position}:{rule}",
        rule=rule,
        customer_id=customer,
        at=datetime_of(alert.occurred_at),
        position=str(position),
        evidence={name: value for name, value in evidence(alert).items() if name not in apart},
        recommended_action=alert.action if isinstance(alert, CustomerAtRisk) else None,
    )
