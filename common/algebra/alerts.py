"""Alerts: the type of each rule's alert, with its evidence. Knows no condition: `speed_layer/apply/alerts.py` does.

An alert's id is the partition and the offset of the record that raised it, and the rule. Its time is the event's own. A
new rule is a type here, and an entry with its condition there.
"""

import msgspec


class TicketEvidence(msgspec.Struct, frozen=True, gc=False):
    """One ticket of the window; `day` is the UTC day of its creation, in days since 1970-01-01."""

    ticket_id: str
    day: int
    priority: str


class CustomerAtRisk(msgspec.Struct, frozen=True, gc=False, tag_field="rule", tag="customer_at_risk"):
    """A new ticket left its customer at risk, as of the ticket's own day; `occurred_at` is in microseconds (UTC).

    The counts are of all tickets in the window. `tickets` holds its newest ones, newest first, at most
    `EVIDENCE_TICKETS` of them.
    """

    occurred_at: int
    entity_id: str
    action: str
    reason: str
    tickets_30d: int
    high_priority_tickets_30d: int
    tickets: tuple[TicketEvidence, ...]


class LargeRefund(msgspec.Struct, frozen=True, gc=False, tag_field="rule", tag="large_refund"):
    """A new refund is at or above the threshold; amounts in cents, `occurred_at` in microseconds (UTC)."""

    occurred_at: int
    entity_id: str
    order_id: str
    amount: int
    threshold: int


Alert = CustomerAtRisk | LargeRefund


def rule_of(alert: Alert) -> str:
    """The name of the alert's rule."""
    return str(alert.__struct_config__.tag)


def encode_alert(alert: Alert) -> str:
    """The one cell that holds `alert`: compact JSON, the same text for equal alerts (R11)."""
    return msgspec.json.encode(alert).decode()


def decode_alert(text: str | bytes) -> Alert:
    """Inverse of `encode_alert`."""
    return _ALERT.decode(text)


_ALERT: msgspec.json.Decoder[Alert] = msgspec.json.Decoder(Alert)
