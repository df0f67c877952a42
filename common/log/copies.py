"""What the speed layer publishes: copies of stored rows, as CloudEvents (R14).

A copy's id is its record's position in the log, and an alert's the rule besides, so a consumer recognizes a redelivered
copy. The same row always gives the same bytes, except that a delta's `values` and `logic_version` are those of the
release that publishes it. Knows no producer.
"""

from typing import Final, NamedTuple

import msgspec

from common.algebra.alerts import Alert, rule_of
from common.algebra.dates import datetime_of, iso_of
from common.algebra.facts import Delta
from common.algebra.measures import MEASURES, value
from common.algebra.payloads import kind_of
from common.log.copy_events import DELTA, RESET, AlertData, AlertEvent, DeltaData, DeltaEvent, MeasureChange
from common.log.position import Position


class Copy(NamedTuple):
    """A stored row to publish: what the record at `position` changed, and the alerts that it raised."""

    position: Position
    customer_id: str
    delta: Delta
    alerts: tuple[Alert, ...] = ()


def delta_event(copy: Copy, logic_version: str) -> bytes:
    """Returns the message of the copy's delta; its `time` is the record's append time."""
    delta = copy.delta
    data = DeltaData(
        partition=copy.position.partition,
        offset=copy.position.offset,
        kind="" if delta.after is None else kind_of(delta.after.payload),
        entity_id=delta.entity_id,
        before=delta.before,
        after=delta.after,
        values=_measure_changes(delta),
        logic_version=logic_version,
        origin=delta.origin,
    )
    event = DeltaEvent(
        id=str(copy.position),
        type=RESET if delta.is_reset else DELTA,
        subject=copy.customer_id,
        time=datetime_of(delta.appended_at).isoformat(),
        data=data,
    )
    return msgspec.json.encode(event)


def alert_event(copy: Copy, alert: Alert) -> bytes:
    """Returns the message of one of the copy's alerts; its `time` is the event's own."""
    partition, offset = copy.position
    event = AlertEvent(
        id=f"{copy.position}:{rule_of(alert)}",
        subject=copy.customer_id,
        time=datetime_of(alert.occurred_at).isoformat(),
        data=AlertData(partition=partition, offset=offset, customer_id=copy.customer_id, alert=alert),
    )
    return msgspec.json.encode(event)


def _measure_changes(delta: Delta) -> tuple[MeasureChange, ...]:
    if delta.is_reset:
        return ()
    return tuple(
        MeasureChange(iso_of(day), _NAMES[index], amount)
        for day, amounts in sorted(value(delta).days.items())
        for index, amount in enumerate(amounts)
        if amount
    )


_NAMES: Final = tuple(measure.name for measure in MEASURES)
