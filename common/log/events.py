"""Validation: one function, pure in key, value, partition, partition count and append time (R3).

Both layers call `parse`, once a record. It reads no clock and keeps no memory. What it rejects, both exclude.
"""

import re
from dataclasses import dataclass, fields
from typing import Final

import msgspec

from common.algebra.dates import MICROS_PER_DAY, Moment, moment_of
from common.algebra.facts import ERASURE, Image, MarketingEvent, Order, Refund, SupportTicket
from common.algebra.versions import VALIDATION
from common.errors import RejectedRecord
from common.log.partition import partition_of
from common.log.rejection import rejection
from common.log.wire import (
    BY_RECORD,
    Data,
    ErasureData,
    MarketingEventData,
    OrderData,
    Record,
    RefundData,
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
    image, latest = _normalize(data, rules)
    entry = BY_RECORD[type(record)]
    return Event(
        customer_id=data.customer_id,
        kind=entry.kind,
        entity_id=getattr(data, entry.entity_id),
        image=image,
        future_dated=max(occurred, latest) > appended_at + FUTURE_MARGIN_MICROS,
    )


def validation_version(rules: Rules) -> str:
    """The name of the meaning of parsing and validation, with every setting that they read: `1;currency=USD` (R7)."""
    return ";".join((VALIDATION, *(f"{field.name}={getattr(rules, field.name)}" for field in fields(rules))))


_RECORD: Final[msgspec.json.Decoder[Record]] = msgspec.json.Decoder(Record)


def _decode(value: bytes | None) -> Record:
    if not value:
        raise RejectedRecord("value", value, "a record has a value: a CloudEvents 1.0 JSON object")
    if value.count(b"[") + value.count(b"{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise RejectedRecord("value", value, f"brackets and braces nested at most {MAX_DEPTH} deep")
    try:
        return _RECORD.decode(value.decode())  # all of it is UTF-8, what the decoder skips too
    except msgspec.ValidationError as error:
        raise rejection(str(error), value) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RejectedRecord("value", value, f"a JSON object in UTF-8: {error}") from None


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


def _normalize(data: Data, rules: Rules) -> tuple[Image | None, int]:
    """What `data` says, and the latest of its dates."""
    match data:
        case OrderData():
            ordered, updated = _moment("data.order_date", data.order_date), _moment("data.updated_at", data.updated_at)
            amount = _cents(data.total_amount, data.currency, rules)
            image = Image(updated.micros, Order(ordered.micros, amount, data.status))
            return image, max(ordered.micros, updated.micros)
        case RefundData():
            at = _moment("data.refunded_at", data.refunded_at).micros
            amount = _cents(data.amount, data.currency, rules)
            return Image(at, Refund(data.order_id, at, amount)), at
        case SupportTicketData():
            return _ticket(data)
        case MarketingEventData():
            at = _moment("data.event_date", data.event_date).micros
            return Image(at, MarketingEvent(data.event_type, at, data.campaign_id)), at
        case ErasureData():
            return None, 0


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
