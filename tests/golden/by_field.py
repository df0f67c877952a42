"""Sections of one kind: each rule broken on every field that it holds for."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from tests.golden.records import APPENDED_AT, ENTITY_IDS, ENVELOPE, Raw, broken, fields, keyed, plain, raw
from tests.golden.values import (
    AMOUNTS,
    BIRTH_DATES,
    CHARACTERS,
    COUNTRIES,
    CURRENCIES,
    DATES,
    FURTHER,
    LABELS,
    MEDIA_TYPES,
    NAMES,
    OLDER_IDS,
    SEGMENTS,
    TEXTS,
    WORDS,
    WRONG_TYPES,
    ZEROS,
)


def missing(type_: str, _: Random) -> Iterator[Raw]:
    """Each field left out."""
    for field in ENVELOPE:
        record = plain(type_)
        record.pop(field, None)
        yield raw(record)
    for field in fields(type_):
        record = plain(type_)
        record["data"].pop(field, None)
        yield raw(record)


def wrong_types(type_: str, _: Random) -> Iterator[Raw]:
    """Each field with a value of another JSON type."""
    for field in (*(field for field in ENVELOPE if field != "data"), *fields(type_)):
        for value in WRONG_TYPES:
            yield raw(broken(type_, field, value))
    for value in (*WRONG_TYPES, "text"):
        yield keyed(b"ada", json.dumps({**plain(type_), "data": value}).encode())


def dates(type_: str, _: Random) -> Iterator[Raw]:
    """Dates around every limit, in every spelling."""
    for field in ("time", *fields(type_, "_at", "_date")):
        for value in DATES:
            yield raw(broken(type_, field, value))


def texts(type_: str, _: Random) -> Iterator[Raw]:
    """Texts around every length, with characters of every sort."""
    for field in ("id", "source", *(field for field in fields(type_, "_id", "category") if field != "customer_id")):
        for value in TEXTS:
            yield raw(broken(type_, field, value))
    for value in TEXTS:
        yield raw(plain(type_, value))


def words(type_: str, _: Random) -> Iterator[Raw]:
    """Words of other fields, and nearly right ones."""
    for field in ("specversion", "datacontenttype", *fields(type_, "status", "priority", "event_type")):
        for value in WORDS:
            yield raw(broken(type_, field, value))


def further(type_: str, _: Random) -> Iterator[Raw]:
    """Fields that the type does not have, and some that later types may."""
    for more in FURTHER:
        record = plain(type_)
        yield raw({**record, **{name: value for name, value in more.items() if name not in record}})
        yield raw({**record, "data": {**record["data"], **more}})


def taken_back(type_: str, _: Random) -> Iterator[Raw]:
    """Retractions: with the ids and `updated_at` alone, with more, with less, and with broken fields beside them."""
    name = ENTITY_IDS[type_]
    for stated in (True, False, None, 1, "true"):
        whole = {**plain(type_)["data"], "updated_at": "2024-06-07", "retracted": stated}
        least = {field: whole[field] for field in (name, "customer_id", "updated_at", "retracted")}
        for data in (whole, least, {**whole, "total_amount": "x", "amount": -1, "birth_date": 7, "priority": None}):
            yield raw({**plain(type_), "data": data})
        for left_out in (name, "customer_id", "updated_at"):
            yield raw({**plain(type_), "data": {field: least[field] for field in least if field != left_out}})
    for field, values in ((name, TEXTS), ("updated_at", DATES)):
        for value in values:
            yield raw({**plain(type_), "data": {**least, "retracted": True, field: value}})


def places(type_: str, _: Random) -> Iterator[Raw]:
    """Rows of a source around every limit."""
    for value in (1, 2, 0, -1, 2**31 - 1, 2**31, 2**63, 1.0, 1.5, "1", None, True):
        yield raw(broken(type_, "sourcerow", value))


def people(type_: str, _: Random) -> Iterator[Raw]:
    """Birth dates, countries and segments around every limit."""
    for field, values in (("birth_date", BIRTH_DATES), ("country", COUNTRIES), ("segment", SEGMENTS)):
        for value in values:
            yield raw(broken(type_, field, value))


def money(type_: str, _: Random) -> Iterator[Raw]:
    """Amounts around every limit, and currencies."""
    for field, values in (("amount", AMOUNTS), ("currency", CURRENCIES)):
        for name in fields(type_, field):
            for value in values:
                yield raw(broken(type_, name, value))


def future(type_: str, _: Random) -> Iterator[Raw]:
    """Dates around the append time + 1 day, to the microsecond."""
    edge = datetime.fromtimestamp(APPENDED_AT / 1_000_000, UTC) + timedelta(days=1)
    for field in ("time", *fields(type_, "_at", "_date")):
        for micros in (-1, 0, 1, 1_000_000, 86_400_000_000):
            yield raw(broken(type_, field, (edge + timedelta(microseconds=micros)).isoformat()))
    for appended_at in (0, APPENDED_AT - 86_400_000_000, 4_133_980_799_999_999):
        yield raw(plain(type_), appended_at=appended_at)


def characters(type_: str, _: Random) -> Iterator[Raw]:
    """Characters that are hardly seen, and odd names."""
    for field in ("id", "source", *fields(type_, "_id", "category", "segment")):
        for value in (*CHARACTERS, *NAMES):
            yield raw(plain(type_, value) if field == "customer_id" else broken(type_, field, value))


def zeros(type_: str, _: Random) -> Iterator[Raw]:
    """Amounts with zeros at the end, and what is nearly one."""
    for name in fields(type_, "amount"):
        for value in ZEROS:
            yield raw(broken(type_, name, value))


def media_types(type_: str, _: Random) -> Iterator[Raw]:
    """Media types of JSON in every spelling, and others."""
    for value in MEDIA_TYPES:
        yield raw(broken(type_, "datacontenttype", value))


def older_ids(type_: str, _: Random) -> Iterator[Raw]:
    """Customers' ids around what older releases accepted: everywhere, and in only one of the two places."""
    for value in OLDER_IDS:
        yield raw(plain(type_, value))
        yield raw(broken(type_, "customer_id", value))
        yield raw(broken(type_, "subject", value))
        record = plain(type_, value)
        yield raw({**record, "data": {**record["data"], "updated_at": "2024-06-07", "retracted": True}})


def labels(type_: str, _: Random) -> Iterator[Raw]:
    """Joiners and variation selectors in labels, and in an id beside them."""
    for field in fields(type_, "category", "segment", "ticket_id", "campaign_id"):
        for value in LABELS:
            yield raw(broken(type_, field, value))
