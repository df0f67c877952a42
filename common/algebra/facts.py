"""Facts and the current-fact rule (R4), and the changes that a fact's replacement leaves (R9)."""

from enum import Enum
from types import NoneType
from typing import Final, NewType, Self, get_args

import msgspec

from common.algebra.alerts import Alert
from common.algebra.profile import CustomerProfile

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


class Retracted(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="retracted"):
    """An entity that was taken back (R5b): it contributes nothing. An older release cannot decode it."""

    of: str
    """The entity's kind."""


Said = Order | Refund | SupportTicket | MarketingEvent | CustomerProfile
"""What an entity of some kind says."""
Payload = Said | Retracted
PAYLOADS: Final[dict[str, type[Said]]] = {
    "order": Order,
    "refund": Refund,
    "support_ticket": SupportTicket,
    "marketing_event": MarketingEvent,
    "customer_profile": CustomerProfile,
}
"""The kinds of fact. Dates are microseconds (UTC), amounts cents; a field's name has one type everywhere."""
ERASURE: Final = "customer"
"""The kind of a `customer.erased` event: it resets a customer and is no fact."""


def payload_columns() -> dict[str, type[int] | type[str]]:
    """Every payload field of every kind with its type: the columns that hold any payload, null where it has none."""
    columns: dict[str, type[int] | type[str]] = {}
    for payload in PAYLOADS.values():
        for field in msgspec.structs.fields(payload):
            columns[field.name] = str if _is_text(field.type) else int
    return columns


def _is_text(annotation: object) -> bool:
    return set(get_args(annotation) or (annotation,)) - {NoneType} == {str}


def kind_of(payload: Payload) -> str:
    """The kind of the entity that `payload` is of."""
    return payload.of if isinstance(payload, Retracted) else str(payload.__struct_config__.tag)


class Image(msgspec.Struct, frozen=True, gc=False):
    """A fact without its offset: what a delta keeps of before and after."""

    version: int
    payload: Payload

    @property
    def retracted(self) -> bool:
        return isinstance(self.payload, Retracted)

    @property
    def rank(self) -> tuple[int, bool]:
        """Of an entity's facts the greatest rank is current; of equal ranks the greatest offset (R4)."""
        return self.version, self.retracted


class Origin(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Where a record came from: the `source` of its envelope, a file's URI for an import, and the row there, from 1."""

    source: str
    row: int | None = None


class Fact(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An entity's current fact as the speed layer stores it: the last change, with the offset that made it.

    `alerts` are those that the record at `offset` raised. They are kept so that a rewrite of the record writes the same
    ones: decided anew, with facts above the offset stored by then, they could differ.
    """

    offset: int
    before: Image | None
    after: Image
    alerts: tuple[Alert, ...] = ()


class Delta(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A change (R9) or, when `after` is null, the reset marker of an erasure (R24), at a log offset.

    Its value, `contribution(after) - contribution(before)`, is for whoever adds it up. `origin` stands outside the
    images, so that a repeat from another file is a repeat.
    """

    kind: str = ""
    """The entity's kind; empty for a reset, and in cells of releases that did not name it."""
    entity_id: str
    before: Image | None
    after: Image | None
    appended_at: int
    """Microseconds since 1970-01-01T00:00:00Z."""
    origin: Origin | None = None

    @classmethod
    def reset(cls, appended_at: int, origin: Origin | None = None) -> Self:
        """The marker of an erasure."""
        return cls(entity_id="", before=None, after=None, appended_at=appended_at, origin=origin)

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
    A record below the stored offset was applied before; one at that offset writes the same again. On equal versions a
    retraction outranks what it takes back, so a repeat does not undo it.
    """
    if current is None:
        return Outcome.CHANGED, Fact(offset, None, image)
    if offset < current.offset:
        return Outcome.SKIPPED, None
    if offset == current.offset:
        return Outcome.REWRITTEN, Fact(offset, current.before, image, current.alerts)
    if image.rank < current.after.rank:
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
