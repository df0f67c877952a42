"""Validation: one function, pure in key, value, partition, partition count and append time (R3).

Both layers call `parse`, once for each record, and both exclude what it rejects. It reads no clock and keeps no state.
"""

from dataclasses import fields
from typing import Final

import msgspec

from common.algebra.dates import MICROS_PER_DAY
from common.algebra.facts import Image, Origin
from common.algebra.payloads import ERASURE
from common.algebra.versions import VALIDATION
from common.errors import RejectedRecord
from common.log.decoding import decode
from common.log.normalizing import Rules, moment, normalize
from common.log.partition import partition_of
from common.log.wire import RECORD_TYPES

FUTURE_MARGIN_MICROS: Final = MICROS_PER_DAY


class Event(msgspec.Struct, frozen=True, gc=False):
    """A valid record: a fact without its offset or, where `image` is None, an erasure of its customer.

    `future_dated` is true if one of its dates is after the append time + 1 day. Such a record is valid, and reported.
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
    """Returns the event that a record carries; `appended_at` is the record's append time in microseconds (UTC).

    Unknown fields are ignored; where a field is repeated, its last value counts. Raises RejectedRecord, which names
    the field, its value and the rule.
    """
    record = decode(value)
    data = record.data
    _check_customer(key, record.subject, data.customer_id)
    expected = partition_of(data.customer_id, partition_count)
    if partition != expected:
        raise RejectedRecord("partition", partition, f"the key's own partition (murmur2) is {expected}")
    occurred = moment("time", record.time).micros
    entry = RECORD_TYPES[str(record.__struct_config__.tag)]
    image, latest = normalize(entry.kind, data, rules)
    return Event(
        customer_id=data.customer_id,
        kind=entry.kind,
        entity_id=getattr(data, entry.entity_id),
        image=image,
        origin=Origin(record.source, record.sourcerow),
        future_dated=max(occurred, latest) > appended_at + FUTURE_MARGIN_MICROS,
    )


def validation_version(rules: Rules) -> str:
    """Returns the version of parsing and validation, with every setting that they read: `3;currency=USD` (R7)."""
    return ";".join((VALIDATION, *(f"{field.name}={getattr(rules, field.name)}" for field in fields(rules))))


def _check_customer(key: bytes | None, subject: str, customer_id: str) -> None:
    if key is None:
        raise RejectedRecord("key", key, "a record's key is its customer's id in UTF-8")
    if key != customer_id.encode():
        raise RejectedRecord("key", key, f"key and data name one customer: data.customer_id is {customer_id!r}")
    if subject != customer_id:
        raise RejectedRecord("subject", subject, f"subject and data name one customer: data has {customer_id!r}")
