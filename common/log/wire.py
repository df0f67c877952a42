"""The records on the wire: CloudEvents 1.0 JSON objects, and the entities in their `data` (R2).

The types are the one source of the JSON Schemas, of the structural checks and of the rules quoted in errors.
"""

from typing import Annotated, Final, Literal, cast

import msgspec
from msgspec import Meta

from common.algebra.dates import BIRTH_DATE_RULE, DATE_PATTERN, DATE_RULE, PLAIN_DATE_PATTERN

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
BirthDateText = Annotated[str, Meta(pattern=PLAIN_DATE_PATTERN, description=BIRTH_DATE_RULE)]
CountryText = Annotated[
    str, Meta(pattern=r"^[A-Z]{2}$(?!\n)", description="an ISO 3166 alpha-2 code: two capital letters, such as GB")
]
SegmentText = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=rf"^[^{_CONTROL}]*$(?!\n)",
        description="1 to 64 characters, no control character",
    ),
]
IsRetracted = Annotated[
    bool,
    Meta(description="a boolean; true takes the entity back, and then only its ids and updated_at are read"),
]
CurrencyText = Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)", description="an ISO 4217 code: the deployment's own")]


class OrderData(msgspec.Struct, frozen=True, omit_defaults=True):
    """An order in full; `cancelled` means never charged. A correction must raise `updated_at`."""

    order_id: IdText
    customer_id: CustomerIdText
    order_date: DateText
    total_amount: AmountText
    status: Literal["pending", "processing", "shipped", "delivered", "completed", "returned", "cancelled"]
    updated_at: DateText
    currency: CurrencyText | None = None
    retracted: IsRetracted = False


class RefundData(msgspec.Struct, frozen=True, omit_defaults=True):
    """A refund in full; it counts whatever became of its order.

    Its version is its own date unless it has an `updated_at`.
    """

    refund_id: IdText
    order_id: IdText
    customer_id: CustomerIdText
    refunded_at: DateText
    amount: AmountText
    currency: CurrencyText | None = None
    updated_at: DateText | None = None
    retracted: IsRetracted = False


class SupportTicketData(msgspec.Struct, frozen=True, omit_defaults=True):
    """A support ticket in full; a reopened one loses its `resolved_date`. A correction must raise `updated_at`."""

    ticket_id: IdText
    customer_id: CustomerIdText
    created_date: DateText
    category: IdText
    priority: Literal["low", "normal", "medium", "high", "urgent"]
    updated_at: DateText
    resolved_date: DateText | None = None
    retracted: IsRetracted = False


class MarketingEventData(msgspec.Struct, frozen=True, omit_defaults=True):
    """A marketing event in full; its version is its own date unless it has an `updated_at`."""

    event_id: IdText
    customer_id: CustomerIdText
    event_type: Literal["email_open", "email_click", "campaign_view"]
    event_date: DateText
    campaign_id: IdText
    updated_at: DateText | None = None
    retracted: IsRetracted = False


class CustomerProfileData(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a customer is, in full: a field that is left out is not known any more. Its entity is the customer."""

    customer_id: CustomerIdText
    updated_at: DateText
    signed_up_date: DateText | None = None
    birth_date: BirthDateText | None = None
    country: CountryText | None = None
    segment: SegmentText | None = None
    retracted: IsRetracted = False


class ErasureData(msgspec.Struct, frozen=True, omit_defaults=True):
    """The demand to forget a customer: the state starts from zero at this record's offset (R24)."""

    customer_id: CustomerIdText
    retracted: IsRetracted = False


class RetractionData(msgspec.Struct, frozen=True, kw_only=True):
    """An entity taken back (R5b): all that is read of it. Each kind's own type adds the field that names the entity."""

    customer_id: CustomerIdText
    updated_at: DateText
    retracted: IsRetracted


EntityData = OrderData | RefundData | SupportTicketData | MarketingEventData | CustomerProfileData
Data = EntityData | ErasureData | RetractionData
DataClass = type[EntityData | ErasureData]


class Envelope(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """A CloudEvents 1.0 object in structured mode; further attributes are allowed, and ignored.

    `source` and the extension `sourcerow` name where the record came from: an import's file and row.
    """

    specversion: Literal["1.0"]
    id: Annotated[str, Meta(min_length=1, max_length=512, description="1 to 512 characters")]
    source: Annotated[str, Meta(min_length=1, max_length=512, description="1 to 512 characters")]
    subject: CustomerIdText
    time: DateText
    sourcerow: (
        Annotated[int, Meta(ge=1, le=2**31 - 1, description="the row of the source, a whole number from 1 to 2^31 - 1")]
        | None
    ) = None
    datacontenttype: Literal["application/json"] | None = None


class OrderRecord(Envelope, frozen=True, kw_only=True, tag="order.recorded"):
    data: OrderData


class RefundRecord(Envelope, frozen=True, kw_only=True, tag="refund.recorded"):
    data: RefundData


class SupportTicketRecord(Envelope, frozen=True, kw_only=True, tag="support_ticket.recorded"):
    data: SupportTicketData


class MarketingEventRecord(Envelope, frozen=True, kw_only=True, tag="marketing_event.recorded"):
    data: MarketingEventData


class CustomerProfileRecord(Envelope, frozen=True, kw_only=True, tag="customer_profile.recorded"):
    data: CustomerProfileData


class ErasureRecord(Envelope, frozen=True, kw_only=True, tag="customer.erased"):
    data: ErasureData


class RetractionRecord(Envelope, frozen=True, kw_only=True):
    """A record whose entity is taken back; each kind's own type narrows `data`."""

    data: RetractionData


Record = OrderRecord | RefundRecord | SupportTicketRecord | MarketingEventRecord | CustomerProfileRecord | ErasureRecord
RecordClass = type[Record]


class RecordType(msgspec.Struct, frozen=True):
    """One of the six types of record: its kind, its types, and the field that names the entity."""

    kind: str
    type: str
    record: RecordClass
    data: DataClass
    entity_id: str
    own_date: str | None
    """The entity's own date: the default of `updated_at` in an import, and the envelope's `time`."""

    @property
    def can_be_retracted(self) -> bool:
        return self.data is not ErasureData


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
        RecordType(
            "customer_profile",
            "customer_profile.recorded",
            CustomerProfileRecord,
            CustomerProfileData,
            "customer_id",
            None,
        ),
        RecordType("customer", "customer.erased", ErasureRecord, ErasureData, "customer_id", None),
    )
}
BY_KIND: Final = {entry.kind: entry for entry in RECORD_TYPES.values()}
ALIASES: Final = {"ticket": "support_ticket", "marketing": "marketing_event", "profile": "customer_profile"}
"""Short names of kinds, for the command line."""


def _retraction(entry: RecordType) -> type[RetractionRecord]:
    name = entry.data.__name__.removesuffix("Data")
    own = () if entry.entity_id == "customer_id" else ((entry.entity_id, IdText),)
    data = msgspec.defstruct(f"{name}RetractionData", own, bases=(RetractionData,), frozen=True, kw_only=True)
    made = msgspec.defstruct(
        f"{name}RetractionRecord",
        [("data", data)],
        bases=(RetractionRecord,),
        frozen=True,
        kw_only=True,
        tag=entry.type,
    )
    return cast("type[RetractionRecord]", made)


RETRACTIONS: Final = {entry.kind: _retraction(entry) for entry in RECORD_TYPES.values() if entry.can_be_retracted}
"""By kind the type of a record that takes an entity back."""


def retraction_data(kind: str, entity_id: str, customer_id: str, updated_at: str) -> RetractionData:
    """The `data` of a record that takes an entity back."""
    named = {BY_KIND[kind].entity_id: entity_id, "customer_id": customer_id, "updated_at": updated_at}
    data_type = RETRACTIONS[kind].__annotations__["data"]
    return cast("RetractionData", data_type(**named, retracted=True))


def encode_record(
    kind: str, data: Data, *, event_id: str, source: str, time: str, source_row: int | None = None
) -> bytes:
    """The record of an entity, ready to be produced under its customer's id as key."""
    record_type = RETRACTIONS[kind] if isinstance(data, RetractionData) else BY_KIND[kind].record
    record = record_type(
        specversion="1.0",
        id=event_id,
        source=source,
        subject=data.customer_id,
        time=time,
        sourcerow=source_row,
        datacontenttype="application/json",
        data=data,  # type: ignore[arg-type] # the kind's own type of data: the caller's to keep
    )
    return msgspec.json.encode(record)


def record_schema(kind: str) -> dict[str, object]:
    """The JSON Schema (2020-12) of a kind's records, envelope and data; `data` is an entity in full or a retraction."""
    entry = BY_KIND[kind]
    types = (entry.record, RETRACTIONS[kind]) if entry.can_be_retracted else (entry.record,)
    _, definitions = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    envelope = definitions.pop(entry.record.__name__)
    if entry.can_be_retracted:
        retraction = definitions.pop(RETRACTIONS[kind].__name__)
        taken_back = retraction["properties"]["data"]
        definitions[taken_back["$ref"].rpartition("/")[2]]["properties"]["retracted"]["const"] = True
        envelope["properties"]["data"] = {"anyOf": [envelope["properties"]["data"], taken_back]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **envelope, "$defs": definitions}
