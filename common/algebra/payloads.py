"""What an entity of each kind says, normalized; dates are microseconds (UTC), amounts cents."""

from types import NoneType
from typing import Final, get_args

import msgspec

from common.algebra.profile import CustomerProfile


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
