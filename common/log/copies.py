"""What the speed layer publishes: copies of stored rows, as CloudEvents (R14).

A copy's id is its record's position in the log, so whoever reads it twice knows it. The same row always makes the same
bytes, but for the `logic_version` of the release that values it.
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
    """A stored row on its way out: what the record at this position changed, and the alerts it raised."""

    position: Position
    customer_id: str
    delta: Delta
    alerts: tuple[Alert, ...] = ()


class Moved(msgspec.Struct, frozen=True, gc=False):
    """What a delta adds to one measure of one UTC day; money in cents."""

    day: str
    measure: str
    amount: int


class DeltaData(msgspec.Struct, frozen=True, gc=False):
    """A delta: the images as stored (dates in microseconds, money in cents), and its value (R9).

    `kind` and `entity_id` are empty, and the images null, where the record is an erasure (R24).
    """

    partition: int
    offset: int
    kind: str
    entity_id: str
    before: Image | None
    after: Image | None
    values: tuple[Moved, ...]
    logic_version: str
    origin: Origin | None = None
    """Where the record came from; null in copies of releases that did not keep it."""

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
    """A message of the deltas' topic."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str = SOURCE
    type: Literal["customer.delta", "customer.reset"]
    subject: str
    time: str
    datacontenttype: str = "application/json"
    data: DeltaData


class AlertEvent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A message of the alerts' topic."""

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
    """The message of the copy's delta; `time` is the record's append time."""
    delta = copy.delta
    data = DeltaData(
        partition=copy.position.partition,
        offset=copy.position.offset,
        kind="" if delta.after is None else kind_of(delta.after.payload),
        entity_id=delta.entity_id,
        before=delta.before,
        after=delta.after,
        values=_moved(delta),
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
    """The message of one of the copy's alerts; `time` is the event's own."""
    event = AlertEvent(
        id=f"{copy.position}:{rule_of(alert)}",
        subject=copy.customer_id,
        time=datetime_of(alert.occurred_at).isoformat(),
        data=AlertData(*copy.position, copy.customer_id, alert),
    )
    return msgspec.json.encode(event)


def decode_delta_event(body: bytes) -> DeltaEvent:
    return _DELTA_EVENT.decode(body)


def decode_alert_event(body: bytes) -> AlertEvent:
    return _ALERT_EVENT.decode(body)


_DELTA_EVENT: Final[msgspec.json.Decoder[DeltaEvent]] = msgspec.json.Decoder(DeltaEvent)
_ALERT_EVENT: Final[msgspec.json.Decoder[AlertEvent]] = msgspec.json.Decoder(AlertEvent)


def _moved(delta: Delta) -> tuple[Moved, ...]:
    if delta.is_reset:
        return ()
    return tuple(
        Moved(date_of(day).isoformat(), measure.name, amount)
        for day, amounts in sorted(value(delta).days.items())
        for measure, amount in zip(MEASURES, amounts, strict=True)
        if amount
    )
