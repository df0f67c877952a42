"""The records on the wire: CloudEvents 1.0 JSON objects, with an entity in their `data` (R2). Knows no bytes.

The types are the one source of the JSON Schemas, of the checks of structure and of the rules that errors quote.
"""

from typing import Annotated, Final, Literal, cast

import msgspec
from msgspec import Meta

from common.log.entities import (
    CustomerProfileData,
    DataClass,
    ErasureData,
    MarketingEventData,
    OrderData,
    RefundData,
    RetractionData,
    SupportTicketData,
)
from common.log.texts import CustomerIdText, DateText, ErasableIdText, IdText, JsonMediaType


class Envelope(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """A CloudEvents 1.0 object in structured mode; unknown attributes are allowed, and ignored.

    `source` and the extension `sourcerow` name where the record came from; an import's are its file and the row in it.
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
    datacontenttype: JsonMediaType | None = None


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
    subject: ErasableIdText
    data: ErasureData


class RetractionRecord(Envelope, frozen=True, kw_only=True):
    """A record that retracts its entity (R5b); each kind's own type narrows `data`."""

    data: RetractionData


Record = OrderRecord | RefundRecord | SupportTicketRecord | MarketingEventRecord | CustomerProfileRecord | ErasureRecord
RecordClass = type[Record]


class RecordType(msgspec.Struct, frozen=True):
    """One of the six types of record, with the kind of its entity."""

    kind: str
    record: RecordClass
    entity_id: str
    """The field of `data` that holds the entity's id."""
    own_date: str | None
    """The field of the entity's own date: the envelope's `time`, and an import's default of `updated_at`."""

    @property
    def type(self) -> str:
        """The envelope's `type`."""
        return str(self.record.__struct_config__.tag)

    @property
    def data(self) -> DataClass:
        """The type of `data`."""
        return cast("DataClass", self.record.__annotations__["data"])

    @property
    def can_be_retracted(self) -> bool:
        return self.data is not ErasureData


RECORD_TYPES: Final = {
    entry.type: entry
    for entry in (
        RecordType("order", OrderRecord, "order_id", "order_date"),
        RecordType("refund", RefundRecord, "refund_id", "refunded_at"),
        RecordType("support_ticket", SupportTicketRecord, "ticket_id", "created_date"),
        RecordType("marketing_event", MarketingEventRecord, "event_id", "event_date"),
        RecordType("customer_profile", CustomerProfileRecord, "customer_id", None),
        RecordType("customer", ErasureRecord, "customer_id", None),
    )
}
"""The types of record by the envelope's `type`."""
BY_KIND: Final = {entry.kind: entry for entry in RECORD_TYPES.values()}
ALIASES: Final = {"ticket": "support_ticket", "marketing": "marketing_event", "profile": "customer_profile"}
"""The command line's short names of kinds."""


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
"""The types of records that retract an entity, by its kind."""
