"""Every way to spoil a record: each gives a key, a value and a partition that validation must reject (R3)."""

import json
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from common.log.partition import partition_of

Sent = tuple[bytes | None, bytes | None, int | None]


class Poison(NamedTuple):
    """A way to spoil: `spoil(key, value, partitions)` gives what to send, from a valid message."""

    name: str
    spoil: Callable[[bytes | None, bytes | None, int], Sent]


def _raw(name: str, change: Callable[[bytes], bytes | None]) -> Poison:
    return Poison(name, lambda key, value, _: (key, change(value or b""), None))


def _json(name: str, change: Callable[[dict[str, Any]], object]) -> Poison:
    def spoil(key: bytes | None, value: bytes | None, _: int) -> Sent:
        content = json.loads(value or b"")
        change(content)
        return key, json.dumps(content).encode(), None

    return Poison(name, spoil)


def _field(name: str, field: str, content: object) -> Poison:
    return _json(name, lambda record: record["data"].update({field: content}))


def _charge(name: str, field: str, content: object) -> Poison:
    """Spoil the amount or the currency: of a refund made of whatever it was."""

    def change(record: dict[str, Any]) -> None:
        refund = {"refund_id": "spoiled", "order_id": "o1", "refunded_at": "2024-06-01", "amount": "1.00"}
        record["data"] = {**refund, "customer_id": record["subject"], field: content}
        record["type"] = "refund.recorded"

    return _json(name, change)


def _profile(name: str, field: str, content: object) -> Poison:
    """Spoil a field of a profile made of whatever it was."""

    def change(record: dict[str, Any]) -> None:
        record["data"] = {"customer_id": record["subject"], "updated_at": "2024-06-01", field: content}
        record["type"] = "customer_profile.recorded"

    return _json(name, change)


def _taken_back(name: str, change: Callable[[dict[str, Any]], object]) -> Poison:
    """Spoil a retraction of whatever it was."""

    def spoil(record: dict[str, Any]) -> None:
        record["data"] |= {"retracted": True, "updated_at": "2024-06-01"}
        change(record["data"])

    return _json(name, spoil)


def _erasure_taken_back(record: dict[str, Any]) -> None:
    record["type"] = "customer.erased"
    record["data"] = {"customer_id": record["subject"], "retracted": True}


def _elsewhere(key: bytes | None, value: bytes | None, partitions: int) -> Sent:
    own = partition_of((key or b"").decode(), partitions)
    return (key, value, (own + 1) % partitions) if partitions > 1 else (None, value, 0)


def _renamed(customer_id: str) -> Callable[[bytes | None, bytes | None, int], Sent]:
    def spoil(_: bytes | None, value: bytes | None, __: int) -> Sent:
        content = json.loads(value or b"")
        content["subject"] = content["data"]["customer_id"] = customer_id
        return customer_id.encode(), json.dumps(content).encode(), None

    return spoil


POISONS: Final = (
    Poison("no value", lambda key, value, _: (key, None, None)),
    _raw("empty value", lambda value: b""),
    _raw("half a record", lambda value: value[: len(value) // 2]),
    _raw("no JSON", lambda value: b"not json"),
    _raw("no UTF-8", lambda value: value.replace(b"1.0", b"1.0\xff")),
    _raw("byte order mark", lambda value: b"\xef\xbb\xbf" + value),
    _raw("more after the end", lambda value: value + b"{}"),
    _raw("compressed with gzip", lambda value: b"\x1f\x8b\x08" + value),
    _raw("framed for a schema registry", lambda value: b"\x00\x00\x00\x00\x01" + value),
    _raw("a list", lambda value: b"[" + value + b"]"),
    _raw("too deep", lambda value: b"[" * 5000 + value + b"]" * 5000),
    Poison("no key", lambda key, value, _: (None, value, 0)),
    Poison("another's key", lambda key, value, _: (b"somebody else", value, None)),
    Poison("another partition", _elsewhere),
    Poison("empty customer id", _renamed("")),
    Poison("long customer id", _renamed("x" * 300)),
    Poison("null byte in the customer id", _renamed("a\x00b")),
    Poison("slash in the customer id", _renamed("a/b")),
    Poison("white space at the end of the customer id", _renamed("ada ")),
    Poison("only white space as customer id", _renamed("\u3000")),
    Poison("two dots as customer id", _renamed("..")),
    Poison("invisible character in the customer id", _renamed("a\u200bda")),
    _json("half a surrogate pair in the source", lambda record: record.update(source="cut\ud83d")),
    _json("a media type of XML", lambda record: record.update(datacontenttype="application/xml")),
    _json("unknown type", lambda record: record.update(type="order.deleted")),
    _json("another specversion", lambda record: record.update(specversion="0.3")),
    _json("another subject", lambda record: record.update(subject="somebody else")),
    _json("no time", lambda record: record.pop("time")),
    _json("no data", lambda record: record.pop("data")),
    _json("data of a wrong type", lambda record: record.update(data="text")),
    _json("time without a zone", lambda record: record.update(time="2024-06-01T10:00:00")),
    _json("time out of range", lambda record: record.update(time="2101-01-01")),
    _field("number as customer id", "customer_id", 7),
    _field("customer id missing", "customer_id", None),
    _field("retracted as text", "retracted", "true"),
    _field("retracted as a number", "retracted", 1),
    _field("retracted as null", "retracted", None),
    _taken_back("retracted without a version", lambda data: data.pop("updated_at")),
    _taken_back("retracted with a date of no calendar", lambda data: data.update(updated_at="2024-02-30")),
    _taken_back("retracted without its customer", lambda data: data.pop("customer_id")),
    _json("an erasure taken back", _erasure_taken_back),
    _json("source row of zero", lambda record: record.update(sourcerow=0)),
    _json("source row with a point", lambda record: record.update(sourcerow=1.0)),
    _json("source row as text", lambda record: record.update(sourcerow="7")),
    _profile("country in small letters", "country", "gb"),
    _profile("country of three letters", "country", "GBR"),
    _profile("empty segment", "segment", ""),
    _profile("long segment", "segment", "x" * 65),
    _profile("birth date with a time", "birth_date", "1990-01-01T00:00:00Z"),
    _profile("birth date of no calendar", "birth_date", "1991-02-29"),
    _profile("birth date too early", "birth_date", "1849-12-31"),
    _profile("birth date too late", "birth_date", "2101-01-01"),
    _profile("profile without a version", "updated_at", None),
    _charge("another currency", "currency", "EUR"),
    _charge("lower-case currency", "currency", "usd"),
    _charge("negative amount", "amount", "-1.00"),
    _charge("three decimals", "amount", "1.005"),
    _charge("four decimals", "amount", "1.0050"),
    _charge("no decimals behind the point", "amount", "129."),
    _charge("white space before the id", "refund_id", " r1"),
    _charge("invisible id", "refund_id", "\u2060"),
    _charge("number as amount", "amount", 1.5),
    _charge("huge amount", "amount", "99999999999.00"),
    _charge("exponent", "amount", "1e3"),
)
"""Names are unique; whoever tests validation takes them all."""
