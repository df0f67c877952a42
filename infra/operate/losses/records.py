"""Inverse of validation: from a stored fact to a record that validation reads as the same fact (R15). Pure."""

from collections.abc import Iterator
from itertools import product
from typing import Final, NamedTuple

from common.algebra.dates import MICROS_PER_DAY, datetime_of, iso_of
from common.algebra.facts import Fact
from common.algebra.payloads import MarketingEvent, Order, Refund, Retracted, SupportTicket
from common.algebra.profile import CustomerProfile
from common.errors import RejectedRecord
from common.log.encoding import encode_record, retraction_data
from common.log.entities import (
    CustomerProfileData,
    Data,
    MarketingEventData,
    OrderData,
    RefundData,
    SupportTicketData,
)
from common.log.events import parse
from common.log.normalizing import Rules
from common.log.partition import partition_of

SOURCE: Final = "lambda360 speed rebuild"
"""The `source` of a record that was made from a fact."""
MAX_ID: Final = 512


class Held(NamedTuple):
    """A current fact as the speed tables hold it."""

    customer_id: str
    kind: str
    entity_id: str
    fact: Fact


def record_of(held: Held, partitions: int, rules: Rules, now: int) -> bytes:
    """Returns the value of a record whose fact has the same version and payload; its key is the customer's id.

    Raises RejectedRecord if this release's validation rejects it, or reads another fact from it.
    """
    partition = partition_of(held.customer_id, partitions)
    for data in _spellings(held):
        value = _encoded(held, data)
        event = parse(held.customer_id.encode(), value, partition, partitions, now, rules)
        if event.image == held.fact.after:
            return value
    raise RejectedRecord("payload", held.fact.after.payload, "a fact that a record of this release can say")


def _encoded(held: Held, data: Data) -> bytes:
    version = _time(held.fact.after.version)
    event_id = f"{held.kind}:{held.entity_id}:{version}"[: MAX_ID - 6] + ":again"
    return encode_record(held.kind, data, event_id=event_id, source=SOURCE, time=version)


def _spellings(held: Held) -> Iterator[Data]:
    """Yields the ways to say the fact: a ticket's dates may have been plain, which its seconds to resolution tell."""
    payload = held.fact.after.payload
    version = _time(held.fact.after.version)
    match payload:
        case Retracted():
            yield retraction_data(held.kind, held.entity_id, held.customer_id, version)
        case Order():
            yield OrderData(
                order_id=held.entity_id,
                customer_id=held.customer_id,
                order_date=_time(payload.order_date),
                total_amount=_amount(payload.amount),
                status=payload.status,  # type: ignore[arg-type] # validation read it
                updated_at=version,
            )
        case Refund():
            yield RefundData(
                refund_id=held.entity_id,
                order_id=payload.order_id,
                customer_id=held.customer_id,
                refunded_at=_time(payload.refunded_at),
                amount=_amount(payload.amount),
                updated_at=version,
            )
        case SupportTicket():
            yield from _tickets(held, payload, version)
        case MarketingEvent():
            yield MarketingEventData(
                event_id=held.entity_id,
                customer_id=held.customer_id,
                event_type=payload.event_type,  # type: ignore[arg-type] # likewise
                event_date=_time(payload.event_date),
                campaign_id=payload.campaign_id,
                updated_at=version,
            )
        case CustomerProfile():
            yield CustomerProfileData(
                customer_id=held.customer_id,
                updated_at=version,
                signed_up_date=None if payload.signed_up_date is None else _time(payload.signed_up_date),
                birth_date=None if payload.birth_date is None else _day(payload.birth_date),
                country=payload.country,
                segment=payload.segment,
            )


def _tickets(held: Held, payload: SupportTicket, version: str) -> Iterator[SupportTicketData]:
    resolved = (None,) if payload.resolved_date is None else _dates(payload.resolved_date)
    for created_text, resolved_text in product(_dates(payload.created_date), resolved):
        yield SupportTicketData(
            ticket_id=held.entity_id,
            customer_id=held.customer_id,
            created_date=created_text,
            category=payload.category,
            priority=payload.priority,  # type: ignore[arg-type] # likewise
            updated_at=version,
            resolved_date=resolved_text,
        )


def _dates(micros: int) -> tuple[str, ...]:
    """The spellings of a moment: as a time and, at midnight, as a plain date."""
    return (_time(micros),) if micros % MICROS_PER_DAY else (_time(micros), _day(micros))


def _time(micros: int) -> str:
    return datetime_of(micros).isoformat()


def _day(micros: int) -> str:
    return iso_of(micros // MICROS_PER_DAY)


def _amount(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"
