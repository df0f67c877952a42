"""The records on the wire: CloudEvents 1.0 JSON objects, and the entities in their `data` (R2).

The types are the one source of the JSON Schemas, of the structural checks and of the rules quoted in errors.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from common.algebra.dates import DATE_PATTERN, DATE_RULE

_CONTROL: Final = r"\x00-\x1f\x7f-\x9f"

CustomerIdText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=128,
        pattern=rf"^[^{_CONTROL}/]*$(?!\n)",
        description="1 to 128 characters, no control character, no '/'",
    ),
]
IdText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=128,
        pattern=rf"^[^{_CONTROL}]*$(?!\n)",
        description="1 to 128 characters, no control character",
    ),
]
DateText = Annotated[str, Meta(pattern=DATE_PATTERN, description=DATE_RULE)]
AmountText = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{1,10}(\.[0-9]{1,2})?$(?!\n)",
        description="a decimal string, 0 or more, at most 10 digits before the point and two after it",
    ),
]
CurrencyText = Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)", description="an ISO 4217 code: the deployment's own")]


class OrderData(msgspec.Struct, frozen=True):
    """An order in full; `cancelled` means never charged. A correction must raise `updated_at`."""

    order_id: IdText
    customer_id: CustomerIdText
    order_date: DateText
    total_amount: AmountText
    status: Literal["pending", "processing", "shipped", "delivered", "completed", "returned", "cancelled"]
    updated_at: DateText
    currency: CurrencyText | None = None


class RefundData(msgspec.Struct, frozen=True):
    """A refund in full; it counts whatever became of its order."""

    refund_id: IdText
    order_id: IdText
    customer_id: CustomerIdText
    refunded_at: DateText
    amount: AmountText
    currency: CurrencyText | None = None


class SupportTicketData(msgspec.Struct, frozen=True):
    """A support ticket in full; a reopened one loses its `resolved_date`. A correction must raise `updated_at`."""

    ticket_id: IdText
    customer_id: CustomerIdText
    created_date: DateText
    category: IdText
    priority: Literal["low", "normal", "medium", "high", "urgent"]
    updated_at: DateText
    resolved_date: DateText | None = None


class MarketingEventData(msgspec.Struct, frozen=True):
    """A marketing event in full."""

    event_id: IdText
    customer_id: CustomerIdText
    event_type: Literal["email_open", "email_click", "campaign_view"]
    event_date: DateText
    campaign_id: IdText


class ErasureData(msgspec.Struct, frozen=True):
    """The demand to forget a customer: the state starts from zero at this record's offset (R24)."""

    customer_id: CustomerIdText


Data = OrderData | RefundData | SupportTicketData | MarketingEventData | ErasureData
DataClass = type[Data]


class Envelope(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """A CloudEvents 1.0 object in structured mode; further attributes are allowed, and ignored."""

    specversion: Literal["1.0"]
    id: Annotated[str, Meta(min_length=1, max_length=512, description="1 to 512 characters")]
    source: Annotated[str, Meta(min_length=1, max_length=512, description="1 to 512 characters")]
    subject: CustomerIdText
    time: DateText
    datacontenttype: Literal["application/json"] | None = None


class OrderRecord(Envelope, frozen=True, kw_only=True, tag="order.recorded"):
    data: OrderData


class RefundRecord(Envelope, frozen=True, kw_only=True, tag="refund.recorded"):
    data: RefundData


class SupportTicketRecord(Envelope, frozen=True, kw_only=True, tag="support_ticket.recorded"):
    data: SupportTicketData


class MarketingEventRecord(Envelope, frozen=True, kw_only=True, tag="marketing_event.recorded"):
    data: MarketingEventData


class ErasureRecord(Envelope, frozen=True, kw_only=True, tag="customer.erased"):
    data: ErasureData


Record = OrderRecord | RefundRecord | SupportTicketRecord | MarketingEventRecord | ErasureRecord
RecordClass = type[Record]


class RecordType(msgspec.Struct, frozen=True):
    """One of the five types of record: its kind, its types, and the field that names the entity."""

    kind: str
    type: str
    record: RecordClass
    data: DataClass
    entity_id: str
    own_date: str | None
    """The entity's own date: the default of `updated_at` in an import, and the envelope's `time`."""


RECORD_TYPES: Final = {
    entry.type: entry
    for entry in (
        RecordType("order", "order.recorded", OrderRecord, OrderData, "order_id", "order_date"),
        RecordType("refund", "refund.recorded", RefundRecord, RefundData, "refund_id", "refunded_at"),
        RecordType(
            "support_ticket",
            "support_ticket.recorded",
            SupportTicketRecord,
            SupportTicketData,
            "ticket_id",
            "created_date",
        ),
        RecordType(
            "marketing_event",
            "marketing_event.recorded",
            MarketingEventRecord,
            MarketingEventData,
            "event_id",
            "event_date",
        ),
        RecordType("customer", "customer.erased", ErasureRecord, ErasureData, "customer_id", None),
    )
}
BY_KIND: Final = {entry.kind: entry for entry in RECORD_TYPES.values()}
BY_RECORD: Final = {entry.record: entry for entry in RECORD_TYPES.values()}
ALIASES: Final = {"ticket": "support_ticket", "marketing": "marketing_event"}
"""Short names of kinds, for the command line."""


def encode_record(kind: str, data: Data, *, event_id: str, source: str, time: str) -> bytes:
    """The record of an entity, ready to be produced under its customer's id as key."""
    record = BY_KIND[kind].record(
        specversion="1.0",
        id=event_id,
        source=source,
        subject=data.customer_id,
        time=time,
        datacontenttype="application/json",
        data=data,  # type: ignore[arg-type] # the kind's own type of data: the caller's to keep
    )
    return msgspec.json.encode(record)


def record_schema(kind: str) -> dict[str, object]:
    """The JSON Schema (2020-12) of a kind's records, envelope and data."""
    entry = BY_KIND[kind]
    _, definitions = msgspec.json.schema_components((entry.record,), ref_template="#/$defs/{name}")
    envelope = definitions.pop(entry.record.__name__)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **envelope, "$defs": definitions}
