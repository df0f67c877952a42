"""The records of each type, field by field (R2, R3), written a second time; `?` marks a field that may be missing."""

from typing import Any, NamedTuple

from infra.proof.oracle_values import (
    amount,
    anything,
    attribute,
    birth_date,
    category,
    country,
    currency_code,
    customer,
    demand,
    erasable,
    identifier,
    json_media_type,
    moment,
    one_of,
    optional_moment,
    segment,
    source_row,
)

Fields = dict[str, Any]

STATUSES = {"pending", "processing", "shipped", "delivered", "completed", "returned", "cancelled"}
PRIORITIES = {"low", "normal", "medium", "high", "urgent"}
EVENT_TYPES = {"email_open", "email_click", "campaign_view"}

ORDER: Fields = {
    "order_id": identifier,
    "customer_id": customer,
    "order_date": moment,
    "total_amount": amount,
    "status": one_of(*sorted(STATUSES)),
    "updated_at": moment,
    "currency?": currency_code,
}
REFUND: Fields = {
    "refund_id": identifier,
    "order_id": identifier,
    "customer_id": customer,
    "refunded_at": moment,
    "amount": amount,
    "currency?": currency_code,
    "updated_at?": optional_moment,
}
TICKET: Fields = {
    "ticket_id": identifier,
    "customer_id": customer,
    "created_date": moment,
    "category": category,
    "priority": one_of(*sorted(PRIORITIES)),
    "updated_at": moment,
    "resolved_date?": optional_moment,
}
MARKETING: Fields = {
    "event_id": identifier,
    "customer_id": customer,
    "event_type": one_of(*sorted(EVENT_TYPES)),
    "event_date": moment,
    "campaign_id": identifier,
    "updated_at?": optional_moment,
}
PROFILE: Fields = {
    "customer_id": customer,
    "updated_at": moment,
    "signed_up_date?": optional_moment,
    "birth_date?": birth_date,
    "country?": country,
    "segment?": segment,
}
ERASURE: Fields = {"customer_id": erasable}
for kind_rules in (ORDER, REFUND, TICKET, MARKETING, PROFILE, ERASURE):
    kind_rules["retracted?"] = one_of(False)


class RecordType(NamedTuple):
    """What a record's `type` means: the kind, the rules of its data, and which fields hold id and default version."""

    kind: str
    rules: Fields
    entity_id: str
    version: str | None
    """The field that is the version of a record without `updated_at`; None: the envelope's time is."""


TYPES = {
    "order.recorded": RecordType("order", ORDER, "order_id", "updated_at"),
    "refund.recorded": RecordType("refund", REFUND, "refund_id", "refunded_at"),
    "support_ticket.recorded": RecordType("support_ticket", TICKET, "ticket_id", "updated_at"),
    "marketing_event.recorded": RecordType("marketing_event", MARKETING, "event_id", "event_date"),
    "customer_profile.recorded": RecordType("customer_profile", PROFILE, "customer_id", "updated_at"),
    "customer.erased": RecordType("customer", ERASURE, "customer_id", None),
}
ENVELOPE: Fields = {
    "specversion": one_of("1.0"),
    "id": attribute,
    "source": attribute,
    "type": one_of(*TYPES),
    "subject": erasable,  # it equals `customer_id`, whose rule depends on the type
    "time": moment,
    "data": anything,
    "datacontenttype?": json_media_type,
    "sourcerow?": source_row,
}


def check(content: Any, rules: Fields) -> Fields:
    """Returns the fields that `rules` names, each one read by its rule. Raises Invalid."""
    demand(isinstance(content, dict), "no object")
    found: Fields = {}
    for name, rule in rules.items():
        demand(name.endswith("?") or name in content, "a required field is missing")
        if name.rstrip("?") in content:
            found[name.rstrip("?")] = rule(content[name.rstrip("?")])
    return found
