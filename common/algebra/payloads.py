"""The normalized content of each kind of entity: dates are microseconds (UTC), amounts cents. Knows no wire format."""

from types import NoneType
from typing import Final, get_args

import msgspec

from common.algebra.profile import CustomerProfile


class Order(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="order"):
    """An order's content, normalized."""

    order_date: int
    amount: int
    status: str


class Refund(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="refund"):
    """A refund's content, normalized; the order is named, and never joined."""

    order_id: str
    refunded_at: int
    amount: int


class SupportTicket(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="support_ticket"):
    """A support ticket's content, normalized.

    `resolution_seconds` counts whole days where one of its two dates is a plain date.
    """

    category: str
    priority: str
    created_date: int
    resolved_date: int | None
    resolution_seconds: int | None


class MarketingEvent(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="marketing_event"):
    """A marketing event's content, normalized."""

    event_type: str
    event_date: int
    campaign_id: str


class Retracted(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="retracted"):
    """The content of an entity that was taken back (R5b): it contributes nothing. An older release cannot decode it."""

    of: str
    """The entity's kind."""


Content = Order | Refund | SupportTicket | MarketingEvent | CustomerProfile
"""The content of an entity that is not retracted."""
Payload = Content | Retracted
PAYLOADS: Final[dict[str, type[Content]]] = {
    "order": Order,
    "refund": Refund,
    "support_ticket": SupportTicket,
    "marketing_event": MarketingEvent,
    "customer_profile": CustomerProfile,
}
"""The kinds of fact. A field's name has the same type in every kind, since the master has one column for it."""
ERASURE: Final = "customer"
"""The kind of a `customer.erased` event, which resets a customer and is no fact."""


def payload_columns() -> dict[str, type[int] | type[str]]:
    """Returns each field of each kind with its type: the columns of a table that holds payloads of all kinds.

    In a payload's row, the columns of fields that it does not have are null.
    """
    columns: dict[str, type[int] | type[str]] = {}
    for payload in PAYLOADS.values():
        for field in msgspec.structs.fields(payload):
            columns[field.name] = str if _is_text(field.type) else int
    return columns


def _is_text(annotation: object) -> bool:
    return set(get_args(annotation) or (annotation,)) - {NoneType} == {str}


def kind_of(payload: Payload) -> str:
    """Returns the kind of the entity that has `payload`; of a retracted one, the kind that was taken back."""
    return payload.of if isinstance(payload, Retracted) else str(payload.__struct_config__.tag)
