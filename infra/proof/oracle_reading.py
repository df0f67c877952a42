"""What counts: one raw record, read by the rules of R2 and R3 a second time; it imports nothing of the system."""

import json
import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

Fields = dict[str, Any]


class Whole(Decimal):
    """A number that is written without a point and without an exponent."""


class RawRecord(NamedTuple):
    """A raw record of the log; `appended_at` in microseconds (UTC)."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    appended_at: int


class Entry(NamedTuple):
    """A valid record: an entity's version, or (kind `customer`) its customer's erasure."""

    customer_id: str
    offset: int
    kind: str
    entity_id: str
    version: datetime
    fields: Fields
    retracted: bool = False
    """Whether the entity is taken back: then it has no fields, and counts for nothing (R5b)."""


class Invalid(Exception):
    """The record is excluded, for this reason."""


STATUSES = {"pending", "processing", "shipped", "delivered", "completed", "returned", "cancelled"}
PRIORITIES = {"low", "normal", "medium", "high", "urgent"}
EVENT_TYPES = {"email_open", "email_click", "campaign_view"}


def read(record: RawRecord, partition_count: int, currency: str) -> Entry:
    """The entry that a record stands for. Raises Invalid with the reason."""
    envelope = check(parse_json(record.value), ENVELOPE)
    kind, rules, entity_id, version = TYPES[envelope["type"]]
    taken_back = isinstance(envelope["data"], dict) and envelope["data"].get("retracted", False) is True
    demand(not (taken_back and kind == "customer"), "an erasure is not retracted")
    if taken_back:
        rules = {entity_id: rules[entity_id], "customer_id": customer, "updated_at": moment}
    data = check(envelope["data"], rules)
    customer_id = data["customer_id"]
    demand(record.key == customer_id.encode(), "key and data name different customers")
    demand(envelope["subject"] == customer_id, "subject and data name different customers")
    demand(record.partition == partition_of(customer_id, partition_count), "not the key's partition")
    demand(data.get("currency") in (None, currency), "another currency")
    if data.get("resolved_date"):
        data["resolution_seconds"] = resolution_seconds(data["created_date"], data["resolved_date"])
        demand(data["resolution_seconds"] >= 0, "resolved before created")
    if taken_back:
        return Entry(customer_id, record.offset, kind, data[entity_id], data["updated_at"].at, {}, retracted=True)
    stated = data.get("updated_at") or (data[version] if version else envelope["time"])
    return Entry(customer_id, record.offset, kind, data[entity_id], stated.at, data)


def demand(condition: bool, reason: str) -> None:
    if not condition:
        raise Invalid(reason)


def parse_json(value: bytes | None) -> Any:
    """JSON, strictly; numbers stay uninterpreted, and of a repeated name the last value counts."""
    demand(value is not None, "no value")
    demand(depth(value or b"") <= 100, "nested too deeply")
    try:
        text = (value or b"").decode("utf-8")
        parsed = json.loads(text, parse_int=Whole, parse_float=Decimal, parse_constant=no_constant)
        if "\\u" in text:  # half a surrogate pair is no text
            json.dumps(parsed, default=str, ensure_ascii=False).encode("utf-8")
    except ValueError as error:
        raise Invalid(f"no JSON in UTF-8: {error}") from error
    return parsed


def no_constant(name: str) -> None:
    raise Invalid(f"{name} is no JSON")


def depth(value: bytes) -> int:
    """How deep brackets and braces are nested, outside of strings."""
    if value.count(b"[") + value.count(b"{") <= 100:
        return 0
    level = deepest = 0
    for byte in re.sub(rb'"(?:[^"\\]|\\.)*"', b"", value, flags=re.DOTALL):
        level += (byte in b"[{") - (byte in b"]}")
        deepest = max(deepest, level)
    return deepest


class When(NamedTuple):
    """A date on the wire: its moment in UTC, and whether it was a plain date (then midnight)."""

    at: datetime
    plain: bool

    @property
    def day(self) -> date:
        return self.at.date()


DATE = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?(?:([Zz])|([+-])([0-9]{2}):([0-9]{2})))?"
)


@lru_cache(maxsize=100_000)
def when(text: str) -> When:
    """RFC 3339 with an offset, or a plain date, from 1970 to 2100 (UTC); digits below the microsecond are dropped."""
    found = DATE.fullmatch(text)
    if found is None:
        raise Invalid("no date")
    year, month, day, hour, minute, second, fraction, _, sign, hours, minutes = found.groups()
    demand(int(hours or 0) < 24 and int(minutes or 0) < 60, "no offset")
    ahead = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    micros = timedelta(microseconds=int((fraction or "0").ljust(6, "0")[:6]))
    try:
        start = datetime(int(year), int(month), int(day), tzinfo=timezone(ahead))
        clock = time(int(hour or 0), int(minute or 0), int(second or 0), tzinfo=timezone(ahead))
        utc = (datetime.combine(start, clock) + micros).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid(f"no date: {error}") from error
    demand(date(1970, 1, 1) <= utc.date() <= date(2100, 12, 31), "date out of range")
    return When(utc, plain=hour is None)


def resolution_seconds(created: When, resolved: When) -> int:
    """Whole seconds, rounded down; whole days where one of the two is a plain date."""
    if created.plain or resolved.plain:
        return (resolved.day - created.day).days * 86_400
    return (resolved.at - created.at) // timedelta(seconds=1)


def text_of(value: Any, least: int, most: int, forbidden: str) -> str:
    demand(isinstance(value, str), "no text")
    demand(least <= len(value) <= most, "too short or too long")
    demand(re.search(forbidden, value) is None, "forbidden character")
    return str(value)


def identifier(value: Any) -> str:
    return text_of(value, 1, 128, r"[\x00-\x1f\x7f-\x9f]")


def customer(value: Any) -> str:
    return text_of(value, 1, 128, r"[\x00-\x1f\x7f-\x9f/]")


def attribute(value: Any) -> str:
    return text_of(value, 1, 512, r"(?!)")


def moment(value: Any) -> When:
    demand(isinstance(value, str), "no text")
    return when(value)


def amount(value: Any) -> Decimal:
    demand(isinstance(value, str) and re.fullmatch(r"[0-9]{1,10}(\.[0-9]{1,2})?", value) is not None, "no amount")
    return Decimal(value)


def currency_code(value: Any) -> str | None:
    demand(value is None or (isinstance(value, str) and re.fullmatch("[A-Z]{3}", value) is not None), "no currency")
    return value  # type: ignore[no-any-return] # text or none, as was just demanded


def one_of(*values: object) -> Any:
    def rule(value: Any) -> Any:
        demand(any(value == each and type(value) is type(each) for each in values), "none of the allowed values")
        return value

    return rule


def optional_moment(value: Any) -> When | None:
    return None if value is None else moment(value)


def birth_date(value: Any) -> date | None:
    """A plain date from 1850 to 2100."""
    if value is None:
        return None
    demand(isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value) is not None, "no plain date")
    try:
        born = date(*map(int, value.split("-")))
    except ValueError as error:
        raise Invalid(f"no date: {error}") from error
    demand(date(1850, 1, 1) <= born <= date(2100, 12, 31), "date out of range")
    return born


def country(value: Any) -> str | None:
    demand(value is None or (isinstance(value, str) and re.fullmatch("[A-Z]{2}", value) is not None), "no country")
    return value  # type: ignore[no-any-return] # text or none, as was just demanded


def segment(value: Any) -> str | None:
    return None if value is None else text_of(value, 1, 64, r"[\x00-\x1f\x7f-\x9f]")


def source_row(value: Any) -> int | None:
    """A whole number, written as one."""
    if value is None:
        return None
    demand(isinstance(value, Whole), "no whole number")
    demand(1 <= value < 2**31, "out of range")
    return int(value)


def anything(value: Any) -> Any:
    return value


def check(content: Any, rules: Fields) -> Fields:
    """The fields that `rules` names, each read by its rule; `?` marks those that may be missing."""
    demand(isinstance(content, dict), "no object")
    found: Fields = {}
    for name, rule in rules.items():
        demand(name.endswith("?") or name in content, "a required field is missing")
        if name.rstrip("?") in content:
            found[name.rstrip("?")] = rule(content[name.rstrip("?")])
    return found


ORDER: Fields = {"order_id": identifier, "customer_id": customer, "order_date": moment, "total_amount": amount}
ORDER |= {
    "status": one_of(*sorted(STATUSES)),
    "updated_at": moment,
    "currency?": currency_code,
}
REFUND: Fields = {"refund_id": identifier, "order_id": identifier, "customer_id": customer, "refunded_at": moment}
REFUND |= {"amount": amount, "currency?": currency_code, "updated_at?": optional_moment}
TICKET: Fields = {"ticket_id": identifier, "customer_id": customer, "created_date": moment, "category": identifier}
TICKET |= {
    "priority": one_of(*sorted(PRIORITIES)),
    "updated_at": moment,
    "resolved_date?": optional_moment,
}
MARKETING: Fields = {"event_id": identifier, "customer_id": customer, "event_type": one_of(*sorted(EVENT_TYPES))}
MARKETING |= {"event_date": moment, "campaign_id": identifier}
MARKETING |= {"updated_at?": optional_moment}
PROFILE: Fields = {"customer_id": customer, "updated_at": moment, "signed_up_date?": optional_moment}
PROFILE |= {"birth_date?": birth_date, "country?": country, "segment?": segment}
ERASURE: Fields = {"customer_id": customer}
for kind_rules in (ORDER, REFUND, TICKET, MARKETING, PROFILE, ERASURE):
    kind_rules["retracted?"] = one_of(False)
TYPES: dict[str, tuple[str, Fields, str, str | None]] = {
    "order.recorded": ("order", ORDER, "order_id", "updated_at"),
    "refund.recorded": ("refund", REFUND, "refund_id", "refunded_at"),
    "support_ticket.recorded": ("support_ticket", TICKET, "ticket_id", "updated_at"),
    "marketing_event.recorded": ("marketing_event", MARKETING, "event_id", "event_date"),
    "customer_profile.recorded": ("customer_profile", PROFILE, "customer_id", "updated_at"),
    "customer.erased": ("customer", ERASURE, "customer_id", None),
}
ENVELOPE: Fields = {"specversion": one_of("1.0"), "id": attribute, "source": attribute, "type": one_of(*TYPES)}
ENVELOPE |= {"subject": customer, "time": moment, "data": anything}
ENVELOPE |= {"datacontenttype?": one_of("application/json", None), "sourcerow?": source_row}


@lru_cache(maxsize=200_000)
def partition_of(customer_id: str, partition_count: int) -> int:
    """Kafka's default partitioner: murmur2 of the UTF-8 key, made positive, modulo the partitions."""
    data = customer_id.encode("utf-8", "surrogatepass")
    mix, mask = 0x5BD1E995, 0xFFFFFFFF
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
