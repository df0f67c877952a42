"""What the speed layer publishes: copies of stored rows, as CloudEvents (R14).

A copy's id is its record's position in the log, and an alert's the rule besides, so a consumer recognizes a redelivered
copy. The same row always gives the same bytes, except that a delta's `values` and `logic_version` are those of the
release that publishes it. Knows no producer.
"""

from typing import Final, Literal, NamedTuple

import msgspec

from common.algebra.alerts import Alert, rule_of
from common.algebra.dates import date_of, datetime_of
from common.algebra.facts import Delta, Image, Origin
from common.algebra.measures import MEASURES, value
from common.algebra.payloads import kind_of
from common.log.position import Position

SOURCE: Final = "lambda360/speed"
DELTA: Final = "customer.delta"
RESET: Final = "customer.reset"
ALERT: Final = "customer.alert"


class Copy(NamedTuple):
    """A stored row to publish: what the record at `position` changed, and the alerts that it raised."""

    position: Position
    customer_id: str
    delta: Delta
    alerts: tuple[Alert, ...] = ()


class MeasureChange(msgspec.Struct, frozen=True, gc=False):
    """What a delta adds to one measure of one UTC day; money in cents."""

    day: str
    measure: str
    amount: int


class DeltaData(msgspec.Struct, frozen=True, gc=False):
    """A delta: its images as stored (dates in microseconds, money in cents), and its value (R9) as `values`.

    Where the record is an erasure (R24), `kind`, `entity_id` and `values` are empty, and both images are null.
    """

    partition: int
    offset: int
    kind: str
    entity_id: str
    before: Image | None
    after: Image | None
    values: tuple[MeasureChange, ...]
    logic_version: str
    origin: Origin | None = None
    """Where the record came from; null in the copies of older releases, which did not store it."""

    @property
    def position(self) -> Position:
        return Position(self.partition, self.offset)


class AlertData(msgspec.Struct, frozen=True, gc=False):
    """An alert with the position and the customer of the record that raised it."""

    partition: int
    offset: int
    customer_id: str
    alert: Alert

    @property
    def position(self) -> Position:
        return Position(self.partition, self.offset)


class DeltaEvent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A message of the topic `customer_deltas`, as a CloudEvent."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str = SOURCE
    type: Literal["customer.delta", "customer.reset"]
    subject: str
    time: str
    datacontenttype: str = "application/json"
    data: DeltaData


class AlertEvent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A message of the topic `customer_alerts`, as a CloudEvent."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str = SOURCE
    type: Literal["customer.alert"] = "customer.alert"
    subject: str
    time: str
    datacontenttype: str = "application/json"
    data: AlertData


CopyEvent = DeltaEvent | AlertEvent
"""A message of either topic."""


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


def decode_delta_event(body: bytes) -> DeltaEvent:
    """Inverse of `delta_event`. Raises msgspec.DecodeError for a message that is none."""
    return _DELTA_EVENT.decode(body)


def decode_alert_event(body: bytes) -> AlertEvent:
    """Inverse of `alert_event`. Raises msgspec.DecodeError for a message that is none."""
    return _ALERT_EVENT.decode(body)


_DELTA_EVENT: Final[msgspec.json.Decoder[DeltaEvent]] = msgspec.json.Decoder(DeltaEvent)
_ALERT_EVENT: Final[msgspec.json.Decoder[AlertEvent]] = msgspec.json.Decoder(AlertEvent)


def _measure_changes(delta: Delta) -> tuple[MeasureChange, ...]:
    if delta.is_reset:
        return ()
    return tuple(
        MeasureChange(date_of(day).isoformat(), measure.name, amount)
        for day, amounts in sorted(value(delta).days.items())
        for measure, amount in zip(MEASURES, amounts, strict=True)
        if amount
    )
