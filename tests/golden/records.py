"""Raw records for validation: a plain one of each kind, its broken relatives, and their place in a log."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final, NamedTuple

from aiokafka.partitioner import murmur2

Json = dict[str, Any]

APPENDED_AT: Final = 1_719_800_000_000_000
"""The append time, in microseconds: 2024-07-01T02:13:20Z."""
PARTITIONS: Final = 4


class Raw(NamedTuple):
    """A record as Kafka gives it, and what validation knows of its place."""

    key: bytes | None
    value: bytes | None
    partition: int
    partitions: int = PARTITIONS
    appended_at: int = APPENDED_AT

    def text(self) -> str:
        """The record on one line, the same for the same record."""
        key, value = (None if part is None else part.decode("latin-1") for part in (self.key, self.value))
        return json.dumps([key, value, *self[2:]])


def own_partition(key: bytes | None, partitions: int = PARTITIONS) -> int:
    """Kafka's partition of `key`, by Kafka's own function and not by the one that is judged."""
    return int(murmur2(key or b"") & 0x7FFFFFFF) % partitions


def raw(record: Json, *, partitions: int = PARTITIONS, appended_at: int = APPENDED_AT) -> Raw:
    """The record as its customer's producer sends it."""
    customer_id = record.get("data", {}).get("customer_id")
    key = (customer_id if isinstance(customer_id, str) else "ada").encode()
    return keyed(key, json.dumps(record, ensure_ascii=False).encode(), partitions=partitions, appended_at=appended_at)


def keyed(
    key: bytes | None, value: bytes | None, *, partitions: int = PARTITIONS, appended_at: int = APPENDED_AT
) -> Raw:
    """The record in its key's own partition."""
    return Raw(key, value, own_partition(key, partitions), partitions, appended_at)


_PLAIN: Final[dict[str, Json]] = {
    "order.recorded": {
        "order_id": "o1",
        "order_date": "2024-06-01",
        "total_amount": "10.00",
        "status": "completed",
        "updated_at": "2024-06-02",
    },
    "refund.recorded": {"refund_id": "r1", "order_id": "o1", "refunded_at": "2024-06-03", "amount": "5.00"},
    "support_ticket.recorded": {
        "ticket_id": "t1",
        "created_date": "1970-01-01",
        "category": "delivery",
        "priority": "normal",
        "updated_at": "2024-06-04",
    },
    "marketing_event.recorded": {
        "event_id": "e1",
        "event_type": "email_open",
        "event_date": "2024-06-05",
        "campaign_id": "summer",
    },
    "customer_profile.recorded": {"updated_at": "2024-06-06"},
    "customer.erased": {},
}
OPTIONAL: Final[dict[str, tuple[str, ...]]] = {
    "order.recorded": ("currency", "retracted"),
    "refund.recorded": ("currency", "updated_at", "retracted"),
    "support_ticket.recorded": ("resolved_date", "retracted"),
    "marketing_event.recorded": ("updated_at", "retracted"),
    "customer_profile.recorded": ("signed_up_date", "birth_date", "country", "segment", "retracted"),
    "customer.erased": ("retracted",),
}
ENTITY_IDS: Final = {
    "order.recorded": "order_id",
    "refund.recorded": "refund_id",
    "support_ticket.recorded": "ticket_id",
    "marketing_event.recorded": "event_id",
    "customer_profile.recorded": "customer_id",
    "customer.erased": "customer_id",
}
TYPES: Final = tuple(_PLAIN)
ENVELOPE: Final = ("specversion", "id", "source", "type", "subject", "time", "datacontenttype", "sourcerow", "data")


def plain(type_: str, customer_id: str = "ada") -> Json:
    """A valid record, the same each time; an optional field is absent."""
    return {
        "specversion": "1.0",
        "id": f"{type_}/1",
        "source": "golden",
        "type": type_,
        "subject": customer_id,
        "time": "2024-06-01T10:00:00Z",
        "data": {"customer_id": customer_id, **deepcopy(_PLAIN[type_])},
    }


def broken(type_: str, field: str, value: object) -> Json:
    """The plain record with `field`, of the envelope or of its data, set to `value`."""
    record = plain(type_)
    owner = record if field in ENVELOPE else record["data"]
    owner[field] = value
    return record


def fields(type_: str, *endings: str) -> Iterator[str]:
    """The data fields of a type, optional ones too, whose names end so."""
    for field in ("customer_id", *_PLAIN[type_], *OPTIONAL.get(type_, ())):
        if field.endswith(endings or ("",)):
            yield field
