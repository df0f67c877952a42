"""The messages of the topics `customer_deltas` and `customer_alerts`, as CloudEvents (R14)."""

from typing import Final, Literal

import msgspec

from common.algebra.alerts import Alert
from common.algebra.facts import Image, Origin
from common.log.position import Position

SOURCE: Final = "lambda360/speed"
DELTA: Final = "customer.delta"
RESET: Final = "customer.reset"
ALERT: Final = "customer.alert"


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


def decode_delta_event(body: bytes) -> DeltaEvent:
    """Inverse of `delta_event`. Raises msgspec.DecodeError for a message that is none."""
    return _DELTA_EVENT.decode(body)


def decode_alert_event(body: bytes) -> AlertEvent:
    """Inverse of `alert_event`. Raises msgspec.DecodeError for a message that is none."""
    return _ALERT_EVENT.decode(body)


_DELTA_EVENT: Final[msgspec.json.Decoder[DeltaEvent]] = msgspec.json.Decoder(DeltaEvent)
_ALERT_EVENT: Final[msgspec.json.Decoder[AlertEvent]] = msgspec.json.Decoder(AlertEvent)
