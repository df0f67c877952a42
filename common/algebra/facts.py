"""Facts and the current-fact rule (R4), and the changes that a fact's replacement leaves (R9)."""

from enum import Enum
from typing import Final, NewType

import msgspec

from common.algebra.alerts import Alert

CustomerId = NewType("CustomerId", str)
Micros = NewType("Micros", int)
"""Microseconds since 1970-01-01T00:00:00Z."""
Cents = NewType("Cents", int)
"""Minor units of the deployment's currency."""


class Order(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="order"):
    """What an order says, normalized."""

    order_date: int
    amount: int
    status: str


class Refund(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="refund"):
    """What a refund says, normalized; its order is named, not joined."""

    order_id: str
    refunded_at: int
    amount: int


class SupportTicket(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="support_ticket"):
    """What a support ticket says, normalized; `resolution_seconds` counts whole days where a side is a plain date."""

    category: str
    priority: str
    created_date: int
    resolved_date: int | None
    resolution_seconds: int | None


class MarketingEvent(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="marketing_event"):
    """What a marketing event says, normalized."""

    event_type: str
    event_date: int
    campaign_id: str


Payload = Order | Refund | SupportTicket | MarketingEvent
PAYLOADS: Final[dict[str, type[Payload]]] = {
    "order": Order,
    "refund": Refund,
    "support_ticket": SupportTicket,
    "marketing_event": MarketingEvent,
}
"""The kinds of fact. Dates are microseconds (UTC), amounts cents; a field's name has one type everywhere."""
ERASURE: Final = "customer"
"""The kind of a `customer.erased` event: it resets a customer and is no fact."""


def payload_columns() -> dict[str, type[int] | type[str]]:
    """Every payload field of every kind with its type: the columns that hold any payload, null where it has none."""
    columns: dict[str, type[int] | type[str]] = {}
    for payload in PAYLOADS.values():
        for field in msgspec.structs.fields(payload):
            columns[field.name] = str if field.type is str else int
    return columns


class Image(msgspec.Struct, frozen=True, gc=False):
    """A fact without its place: what a delta keeps of before and after."""

    version: int
    payload: Payload


class Fact(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An entity's current fact as the speed layer stores it: the last change, with the offset that made it.

    `alerts` are those that the record at `offset` raised. They are kept so that a rewrite of the record writes the same
    ones: decided anew, with facts above the offset stored by then, they could differ.
    """

    offset: int
    before: Image | None
    after: Image
    alerts: tuple[Alert, ...] = ()


class Delta(msgspec.Struct, frozen=True, gc=False):
    """A change (R9) or, when `after` is null, the reset marker of an erasure (R24), at a log offset.

    Its value, `contribution(after) - contribution(before)`, is for whoever adds it up.
    """

    entity_id: str
    before: Image | None
    after: Image | None
    appended_at: int

    @property
    def is_reset(self) -> bool:
        return self.after is None


class Outcome(Enum):
    """What a record does to its entity's current fact."""

    CHANGED = "changed"
    REWRITTEN = "rewritten"
    SKIPPED = "skipped"
    REPEATED = "repeated"
    STALE = "stale"


def decide(current: Fact | None, image: Image, offset: int) -> tuple[Outcome, Fact | None]:
    """What the record `image` at `offset` makes of its entity's `current` fact (R4, R10): a pure function.

    The fact returned is to be written with its delta and alerts; none is returned where nothing is to be written.
    A record below the stored offset was applied before; one at that offset writes the same again.
    """
    if current is None:
        return Outcome.CHANGED, Fact(offset, None, image)
    if offset < current.offset:
        return Outcome.SKIPPED, None
    if offset == current.offset:
        return Outcome.REWRITTEN, Fact(offset, current.before, image, current.alerts)
    if image.version < current.after.version:
        return Outcome.STALE, None
    if image == current.after:
        return Outcome.REPEATED, None
    return Outcome.CHANGED, Fact(offset, current.after, image)


_FACT = msgspec.json.Decoder(Fact)
_DELTA = msgspec.json.Decoder(Delta)


def encode(value: Fact | Delta) -> str:
    """The one cell that holds `value`: compact JSON, the same text for equal values (R11)."""
    return msgspec.json.encode(value).decode()


def decode_fact(text: str) -> Fact:
    return _FACT.decode(text)


def decode_delta(text: str) -> Delta:
    return _DELTA.decode(text)
