"""Validation: one function, pure in key, value, partition, partition count and append time (R3).

Both layers call `parse`, once a record. It reads no clock and keeps no memory. What it rejects, both exclude.
"""

import operator
import re
from dataclasses import dataclass, fields
from functools import reduce
from typing import Final

import msgspec

from common.algebra.dates import MICROS_PER_DAY, Moment, birth_micros, moment_of
from common.algebra.facts import ERASURE, Image, MarketingEvent, Order, Origin, Refund, Retracted, SupportTicket
from common.algebra.profile import CustomerProfile
from common.algebra.versions import VALIDATION
from common.errors import RejectedRecord
from common.log.partition import partition_of
from common.log.rejection import rejection
from common.log.wire import (
    RECORD_TYPES,
    RETRACTIONS,
    CustomerProfileData,
    Data,
    ErasureData,
    MarketingEventData,
    OrderData,
    Record,
    RefundData,
    RetractionData,
    RetractionRecord,
    SupportTicketData,
)

MAX_DEPTH: Final = 100
"""A bound on nesting that does not depend on how deep the caller's stack already is."""
FUTURE_MARGIN_MICROS: Final = MICROS_PER_DAY


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that validation reads; they are part of its version."""

    currency: str


class Event(msgspec.Struct, frozen=True, gc=False):
    """A valid record: a fact without its offset, or (`image` is null) the erasure of its customer.

    `future_dated` tells that one of its dates lies beyond the append time + 1 day: valid, and worth a report.
    """

    customer_id: str
    kind: str
    entity_id: str
    image: Image | None
    origin: Origin
    future_dated: bool = False

    @property
    def is_erasure(self) -> bool:
        return self.kind == ERASURE


def parse(
    key: bytes | None, value: bytes | None, partition: int, partition_count: int, appended_at: int, rules: Rules
) -> Event:
    """The event that a record carries; `appended_at` is the record's append time in microseconds (UTC).

    Further fields are ignored, and of a repeated one the last value counts. Raises RejectedRecord, which names the
    field, its value and the rule.
    """
    record = _decode(value)
    data = record.data
    _check_customer(key, record.subject, data.customer_id)
    expected = partition_of(data.customer_id, partition_count)
    if partition != expected:
        raise RejectedRecord("partition", partition, f"the key's own partition (murmur2) is {expected}")
    occurred = _moment("time", record.time).micros
    entry = RECORD_TYPES[str(record.__struct_config__.tag)]
    image, latest = _normalize(entry.kind, data, rules)
    return Event(
        customer_id=data.customer_id,
        kind=entry.kind,
        entity_id=getattr(data, entry.entity_id),
        image=image,
        origin=Origin(record.source, record.sourcerow),
        future_dated=max(occurred, latest) > appended_at + FUTURE_MARGIN_MICROS,
    )


def validation_version(rules: Rules) -> str:
    """The name of the meaning of parsing and validation, with every setting that they read: `1;currency=USD` (R7)."""
    return ";".join((VALIDATION, *(f"{field.name}={getattr(rules, field.name)}" for field in fields(rules))))


_RECORD: Final[msgspec.json.Decoder[Record]] = msgspec.json.Decoder(Record)
_RETRACTION: Final[msgspec.json.Decoder[RetractionRecord]] = msgspec.json.Decoder(
    reduce(operator.or_, RETRACTIONS.values())
)


def _decode(value: bytes | None) -> Record | RetractionRecord:
    if not value:
        raise RejectedRecord("value", value, "a record has a value: a CloudEvents 1.0 JSON object")
    if value.count(b"[") + value.count(b"{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise RejectedRecord("value", value, f"brackets and braces nested at most {MAX_DEPTH} deep")
    try:
        text = value.decode()  # all of it is UTF-8, what the decoder skips too
        return _typed(text)
    except msgspec.ValidationError as error:
        raise rejection(str(error), value) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RejectedRecord("value", value, f"a JSON object in UTF-8: {error}") from None


def _typed(text: str) -> Record | RetractionRecord:
    """The record in full or, where it takes its entity back, what is read of it (R5b). Raises what msgspec raises."""
    try:
        record = _RECORD.decode(text)
    except msgspec.ValidationError:
        if not _takes_back(text):
            raise
        return _RETRACTION.decode(text)
    if not record.data.retracted:
        return record
    if isinstance(record.data, ErasureData):
        raise RejectedRecord("data.retracted", True, "an erasure is not retracted: send the customer's records again")
    return _RETRACTION.decode(text)


def _takes_back(text: str) -> bool:
    """Whether the record says `retracted: true`, whatever else is wrong with it."""
    content = msgspec.json.decode(text)
    data = content.get("data") if isinstance(content, dict) else None
    is_taken_back = isinstance(data, dict) and data.get("retracted") is True
    return is_taken_back and isinstance(content.get("type"), str) and content["type"] in _RETRACTABLE


_RETRACTABLE: Final = frozenset(entry.type for entry in RECORD_TYPES.values() if entry.can_be_retracted)
_OUTSIDE_STRINGS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


def _depth(value: bytes) -> int:
    """How deep brackets and braces are nested, outside of strings."""
    depth = deepest = 0
    for bracket in re.findall(rb"[\[\]{}]", _OUTSIDE_STRINGS.sub(b"", value)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _check_customer(key: bytes | None, subject: str, customer_id: str) -> None:
    if key is None:
        raise RejectedRecord("key", key, "a record's key is its customer's id in UTF-8")
    if key != customer_id.encode():
        raise RejectedRecord("key", key, f"key and data name one customer: data.customer_id is {customer_id!r}")
    if subject != customer_id:
        raise RejectedRecord("subject", subject, f"subject and data name one customer: data has {customer_id!r}")


def _normalize(kind: str, data: Data, rules: Rules) -> tuple[Image | None, int]:  # noqa: PLR0911 # one for each kind
    """What `data` says, and the latest of its dates."""
    match data:
        case RetractionData():
            version = _moment("data.updated_at", data.updated_at).micros
            return Image(version, Retracted(kind)), version
        case OrderData():
            ordered, updated = _moment("data.order_date", data.order_date), _moment("data.updated_at", data.updated_at)
            amount = _cents(data.total_amount, data.currency, rules)
            image = Image(updated.micros, Order(ordered.micros, amount, data.status))
            return image, max(ordered.micros, updated.micros)
        case RefundData():
            at = _moment("data.refunded_at", data.refunded_at).micros
            amount = _cents(data.amount, data.currency, rules)
            return _dated(at, data.updated_at, Refund(data.order_id, at, amount))
        case SupportTicketData():
            return _ticket(data)
        case MarketingEventData():
            at = _moment("data.event_date", data.event_date).micros
            return _dated(at, data.updated_at, MarketingEvent(data.event_type, at, data.campaign_id))
        case CustomerProfileData():
            return _profile(data)
        case ErasureData():
            return None, 0


def _dated(at: int, updated_at: str | None, payload: Refund | MarketingEvent) -> tuple[Image, int]:
    """Without an `updated_at`, the entity's own date is its version."""
    version = at if updated_at is None else _moment("data.updated_at", updated_at).micros
    return Image(version, payload), max(at, version)


def _profile(data: CustomerProfileData) -> tuple[Image, int]:
    updated = _moment("data.updated_at", data.updated_at).micros
    signed_up = None
    if data.signed_up_date is not None:
        signed_up = _moment("data.signed_up_date", data.signed_up_date).micros
    born = None
    if data.birth_date is not None:
        try:
            born = birth_micros(data.birth_date)
        except ValueError as error:
            raise RejectedRecord("data.birth_date", data.birth_date, str(error)) from None
    profile = CustomerProfile(signed_up, born, data.country, data.segment)
    return Image(updated, profile), max(updated, signed_up or 0, born or 0)


def _ticket(data: SupportTicketData) -> tuple[Image, int]:
    created = _moment("data.created_date", data.created_date)
    updated = _moment("data.updated_at", data.updated_at)
    at = seconds = None
    if data.resolved_date is not None:
        resolved = _moment("data.resolved_date", data.resolved_date)
        at, seconds = resolved.micros, _seconds_between(created, resolved)
        if seconds < 0:
            rule = f"not before data.created_date ({data.created_date}); by day where one of them is a plain date"
            raise RejectedRecord("data.resolved_date", data.resolved_date, rule)
    ticket = SupportTicket(data.category, data.priority, created.micros, at, seconds)
    return Image(updated.micros, ticket), max(created.micros, updated.micros, at or 0)


def _seconds_between(created: Moment, resolved: Moment) -> int:
    if created.plain or resolved.plain:
        return (resolved.day - created.day) * 86_400
    return (resolved.micros - created.micros) // 1_000_000


def _moment(field: str, text: str) -> Moment:
    try:
        return moment_of(text)  # the decoder has matched its pattern
    except ValueError as error:
        raise RejectedRecord(field, text, str(error)) from None


def _cents(amount: str, currency: str | None, rules: Rules) -> int:
    if currency is not None and currency != rules.currency:
        raise RejectedRecord("data.currency", currency, f"this deployment's currency is {rules.currency}")
    units, _, decimals = amount.partition(".")
    return int(units) * 100 + int(decimals.ljust(2, "0"))
