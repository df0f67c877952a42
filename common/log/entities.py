"""The entities as a record's `data` holds them, in full or retracted (R2, R5b). Knows no envelope."""

from typing import Literal

import msgspec

from common.log.texts import (
    AmountText,
    BirthDateText,
    CategoryText,
    CountryText,
    CurrencyText,
    CustomerIdText,
    DateText,
    ErasableIdText,
    IdText,
    IsRetracted,
    SegmentText,
)


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
    category: CategoryText
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
    """A profile in full: a field that is left out is no longer known. Its entity is the customer."""

    customer_id: CustomerIdText
    updated_at: DateText
    signed_up_date: DateText | None = None
    birth_date: BirthDateText | None = None
    country: CountryText | None = None
    segment: SegmentText | None = None
    retracted: IsRetracted = False


class ErasureData(msgspec.Struct, frozen=True, omit_defaults=True):
    """The demand to forget a customer, whose state starts from zero at this record's offset (R24).

    Its id follows the rule of older releases: whatever they accepted can be erased.
    """

    customer_id: ErasableIdText
    retracted: IsRetracted = False


class RetractionData(msgspec.Struct, frozen=True, kw_only=True):
    """All that is read of a retracted entity (R5b). Each kind's own type adds the field with the entity's id."""

    customer_id: CustomerIdText
    updated_at: DateText
    retracted: IsRetracted


EntityData = OrderData | RefundData | SupportTicketData | MarketingEventData | CustomerProfileData
Data = EntityData | ErasureData | RetractionData
DataClass = type[EntityData | ErasureData]
