"""Normalizing: from an entity's `data` to its image, with dates in microseconds and amounts in cents (R4, R5)."""

from dataclasses import dataclass

from common.algebra.dates import Moment, birth_micros, moment_of
from common.algebra.facts import Image
from common.algebra.payloads import MarketingEvent, Order, Refund, Retracted, SupportTicket
from common.algebra.profile import CustomerProfile
from common.errors import RejectedRecord
from common.log.entities import (
    CustomerProfileData,
    Data,
    ErasureData,
    MarketingEventData,
    OrderData,
    RefundData,
    RetractionData,
    SupportTicketData,
)


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that validation reads; their values are part of the validation version (R7)."""

    currency: str


def normalize(kind: str, data: Data, rules: Rules) -> tuple[Image | None, int]:  # noqa: PLR0911 # one for each kind
    """Returns the image of `data` (None for an erasure), and the latest of its dates in microseconds, or 0 without any.

    Raises RejectedRecord for a date that does not exist or is out of bounds, for a ticket that was resolved before it
    was created, and for a currency that is not the deployment's.
    """
    match data:
        case RetractionData():
            version = moment("data.updated_at", data.updated_at).micros
            return Image(version, Retracted(kind)), version
        case OrderData():
            ordered = moment("data.order_date", data.order_date)
            updated = moment("data.updated_at", data.updated_at)
            amount = _cents(data.total_amount, data.currency, rules)
            image = Image(updated.micros, Order(ordered.micros, amount, data.status))
            return image, max(ordered.micros, updated.micros)
        case RefundData():
            at = moment("data.refunded_at", data.refunded_at).micros
            amount = _cents(data.amount, data.currency, rules)
            return _dated(at, data.updated_at, Refund(data.order_id, at, amount))
        case SupportTicketData():
            return _ticket(data)
        case MarketingEventData():
            at = moment("data.event_date", data.event_date).micros
            return _dated(at, data.updated_at, MarketingEvent(data.event_type, at, data.campaign_id))
        case CustomerProfileData():
            return _profile(data)
        case ErasureData():
            return None, 0


def _dated(at: int, updated_at: str | None, payload: Refund | MarketingEvent) -> tuple[Image, int]:
    """The image, whose version is `updated_at` or, without one, the entity's own date `at`; and the later of both."""
    version = at if updated_at is None else moment("data.updated_at", updated_at).micros
    return Image(version, payload), max(at, version)


def _profile(data: CustomerProfileData) -> tuple[Image, int]:
    updated = moment("data.updated_at", data.updated_at).micros
    signed_up = None
    if data.signed_up_date is not None:
        signed_up = moment("data.signed_up_date", data.signed_up_date).micros
    born = None
    if data.birth_date is not None:
        try:
            born = birth_micros(data.birth_date)
        except ValueError as error:
            raise RejectedRecord("data.birth_date", data.birth_date, str(error)) from None
    profile = CustomerProfile(signed_up, born, data.country, data.segment)
    return Image(updated, profile), max(updated, signed_up or 0, born or 0)


def _ticket(data: SupportTicketData) -> tuple[Image, int]:
    created = moment("data.created_date", data.created_date)
    updated = moment("data.updated_at", data.updated_at)
    at = None
    seconds = None
    if data.resolved_date is not None:
        resolved = moment("data.resolved_date", data.resolved_date)
        at = resolved.micros
        seconds = _seconds_between(created, resolved)
        if seconds < 0:
            rule = f"not before data.created_date ({data.created_date}); by day where one of them is a plain date"
            raise RejectedRecord("data.resolved_date", data.resolved_date, rule)
    ticket = SupportTicket(
        category=data.category,
        priority=data.priority,
        created_date=created.micros,
        resolved_date=at,
        resolution_seconds=seconds,
    )
    return Image(updated.micros, ticket), max(created.micros, updated.micros, at or 0)


def _seconds_between(created: Moment, resolved: Moment) -> int:
    if created.plain or resolved.plain:
        return (resolved.day - created.day) * 86_400
    return (resolved.micros - created.micros) // 1_000_000


def moment(field: str, text: str) -> Moment:
    """Returns the moment that `text` names. Raises RejectedRecord, which names `field`, for a date that is none."""
    try:
        return moment_of(text)  # the decoder has matched the pattern of a DateText
    except ValueError as error:
        raise RejectedRecord(field, text, str(error)) from None


def _cents(amount: str, currency: str | None, rules: Rules) -> int:
    if currency is not None and currency != rules.currency:
        raise RejectedRecord("data.currency", currency, f"this deployment's currency is {rules.currency}")
    units, _, decimals = amount.partition(".")
    return int(units) * 100 + int(decimals[:2].ljust(2, "0"))  # further digits are zeros
