"""Reads one raw record by the rules of R2 and R3, written a second time; it imports nothing of the system."""

import json
import re
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from infra.proof.oracle_rules import ENVELOPE, TYPES, Fields, check
from infra.proof.oracle_values import Invalid, When, Whole, customer, demand, moment


class RawRecord(NamedTuple):
    """A raw record of the log. `appended_at` is in microseconds, UTC."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    appended_at: int


class Entry(NamedTuple):
    """A valid record: a version of an entity, or, with the kind `customer`, the erasure of a customer."""

    customer_id: str
    offset: int
    kind: str
    entity_id: str
    version: datetime
    fields: Fields
    retracted: bool = False
    """Whether the record takes the entity back. It then has no fields and contributes nothing (R5b)."""


def read(record: RawRecord, partition_count: int, currency: str) -> Entry:
    """Returns the entry for a record. Raises Invalid, with the reason, if the record does not count."""
    envelope = check(parse_json(record.value), ENVELOPE)
    type_ = TYPES[envelope["type"]]
    retracted = isinstance(envelope["data"], dict) and envelope["data"].get("retracted", False) is True
    demand(not (retracted and type_.kind == "customer"), "an erasure is not retracted")
    retraction = {type_.entity_id: type_.rules[type_.entity_id], "customer_id": customer, "updated_at": moment}
    data = check(envelope["data"], retraction if retracted else type_.rules)
    customer_id = data["customer_id"]
    demand(record.key == customer_id.encode(), "key and data name different customers")
    demand(envelope["subject"] == customer_id, "subject and data name different customers")
    demand(record.partition == partition_of(customer_id, partition_count), "not the key's partition")
    demand(data.get("currency") in (None, currency), "another currency")
    if data.get("resolved_date"):
        data["resolution_seconds"] = resolution_seconds(data["created_date"], data["resolved_date"])
        demand(data["resolution_seconds"] >= 0, "resolved before created")
    stated = data.get("updated_at") or (data[type_.version] if type_.version else envelope["time"])
    return Entry(
        customer_id=customer_id,
        offset=record.offset,
        kind=type_.kind,
        entity_id=data[type_.entity_id],
        version=stated.at,
        fields={} if retracted else data,
        retracted=retracted,
    )


def parse_json(value: bytes | None) -> Any:
    """Returns strict JSON as Python values. Numbers stay exact; of a repeated name the last value counts."""
    demand(value is not None, "no value")
    demand(depth(value or b"") <= 100, "nested too deeply")
    try:
        text = (value or b"").decode("utf-8")
        return json.loads(text, parse_int=Whole, parse_float=Decimal, parse_constant=no_constant)
    except ValueError as error:
        raise Invalid(f"no JSON in UTF-8: {error}") from error


def no_constant(name: str) -> None:
    raise Invalid(f"{name} is no JSON")


def depth(value: bytes) -> int:
    """Returns how deep brackets and braces are nested outside of strings; 0 if too few for the limit."""
    if value.count(b"[") + value.count(b"{") <= 100:
        return 0
    level = 0
    deepest = 0
    for byte in re.sub(rb'"(?:[^"\\]|\\.)*"', b"", value, flags=re.DOTALL):
        level += (byte in b"[{") - (byte in b"]}")
        deepest = max(deepest, level)
    return deepest


def resolution_seconds(created: When, resolved: When) -> int:
    """Returns whole seconds, rounded down; whole days if one of the two is a plain date."""
    if created.plain or resolved.plain:
        return (resolved.day - created.day).days * 86_400
    return (resolved.at - created.at) // timedelta(seconds=1)


@lru_cache(maxsize=200_000)
def partition_of(customer_id: str, partition_count: int) -> int:
    """Kafka's default partitioner: murmur2 of the UTF-8 key, made positive, modulo the partitions."""
    data = customer_id.encode("utf-8", "surrogatepass")
    mix = 0x5BD1E995
    mask = 0xFFFFFFFF
    found = 0x9747B28C ^ len(data)
    for start in range(0, len(data) - len(data) % 4, 4):
        word = int.from_bytes(data[start : start + 4], "little") * mix & mask
        word = (word ^ word >> 24) * mix & mask
        found = found * mix & mask ^ word
    tail = data[len(data) - len(data) % 4 :]
    if tail:
        found = (found ^ int.from_bytes(tail, "little")) * mix & mask
    found = (found ^ found >> 13) * mix & mask
    return ((found ^ found >> 15) & 0x7FFFFFFF) % partition_count
