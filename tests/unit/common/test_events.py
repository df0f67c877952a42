"""R3: what `parse` reads, and that each rejection names the field, its value and the rule."""

import gzip
import json
from typing import Any

import pytest

from common.algebra.dates import MICROS_PER_DAY, day_of
from common.algebra.facts import Image, Origin
from common.algebra.payloads import MarketingEvent, Order, Refund, SupportTicket
from common.errors import RejectedRecord
from common.log.events import FUTURE_MARGIN_MICROS, Event, parse, validation_version
from common.log.normalizing import Rules
from infra.proof.oracle import Oracle
from tests.support.builders import AS_OF, Log, Message, erasure, marketing, order, refund, ticket
from tests.support.poison import POISONS, Poison

RULES = Rules("USD")
JUNE_1 = (day_of(AS_OF) - 29) * MICROS_PER_DAY
HOUR = 3_600_000_000


def read(message: Message) -> Event:
    [record] = Log().append(message)
    return parse(record.key, record.value, record.partition, 4, record.appended_at, RULES)


@pytest.mark.parametrize(
    ("message", "kind", "entity_id", "image"),
    [
        (order(total_amount="12.5"), "order", "o1", Image(JUNE_1, Order(JUNE_1, 1250, "completed"))),
        (order(total_amount="129.0000"), "order", "o1", Image(JUNE_1, Order(JUNE_1, 12_900, "completed"))),
        (order(total_amount="49.990000"), "order", "o1", Image(JUNE_1, Order(JUNE_1, 4_999, "completed"))),
        (
            order(order_date="2024-06-01T02:00:00+02:00", updated_at="2024-06-01t01:00:00z", currency="USD"),
            "order",
            "o1",
            Image(JUNE_1 + HOUR, Order(JUNE_1, 1000, "completed")),
        ),
        (refund(refunded_at="2024-06-01"), "refund", "r1", Image(JUNE_1, Refund("o1", JUNE_1, 500))),
        (
            ticket(created_date="2024-06-01", updated_at="2024-06-02"),
            "support_ticket",
            "t1",
            Image(JUNE_1 + 24 * HOUR, SupportTicket("delivery", "normal", JUNE_1, None, None)),
        ),
        (
            marketing(event_date="2024-06-01"),
            "marketing_event",
            "e1",
            Image(JUNE_1, MarketingEvent("email_open", JUNE_1, "summer")),
        ),
        (erasure(), "customer", "ada", None),
    ],
)
def test_each_type_is_read_into_its_fact(message: Message, kind: str, entity_id: str, image: Image | None) -> None:
    assert read(message) == Event("ada", kind, entity_id, image, Origin("tests"))
    assert read(message).is_erasure == (kind == "customer")


@pytest.mark.parametrize(
    ("created", "resolved", "seconds"),
    [
        ("2024-06-01T10:00:00Z", "2024-06-01T10:00:00Z", 0),
        ("2024-06-01T10:00:00Z", "2024-06-02T09:59:59.999Z", 86_399),
        ("2024-06-01T10:00:00.9Z", "2024-06-01T10:00:02Z", 1),
        ("2024-06-01T23:00:00Z", "2024-06-02", 86_400),
        ("2024-06-01T23:00:00Z", "2024-06-01", 0),
        ("2024-06-01", "2024-06-03T01:00:00Z", 2 * 86_400),
    ],
)
def test_a_resolution_takes_whole_seconds_and_whole_days_where_one_side_is_a_plain_date(
    created: str, resolved: str, seconds: int
) -> None:
    image = read(ticket(created_date=created, resolved_date=resolved)).image
    assert image is not None
    assert isinstance(image.payload, SupportTicket)
    assert image.payload.resolution_seconds == seconds


@pytest.mark.parametrize(
    ("created", "resolved"),
    [
        ("2024-06-01T10:00:00Z", "2024-06-01T09:59:59.999999Z"),
        ("2024-06-02T01:00:00Z", "2024-06-01"),
        ("2024-06-01T23:00:00-02:00", "2024-06-01"),
    ],
)
def test_resolved_before_created_is_rejected(created: str, resolved: str) -> None:
    with pytest.raises(RejectedRecord, match=r"not before data\.created_date") as rejected:
        read(ticket(created_date=created, resolved_date=resolved))
    assert (rejected.value.field, rejected.value.value) == ("data.resolved_date", resolved)


OLDER_IDS = {
    "white space at the end of the customer id",
    "only white space as customer id",
    "two dots as customer id",
    "invisible character in the customer id",
}
"""The poisons that an erasure is allowed (R24)."""


@pytest.mark.parametrize(
    ("poison", "message"),
    [
        (poison, message)
        for poison in POISONS
        for message in (order(), refund(), ticket(), marketing(), erasure())
        if message != erasure() or poison.name not in OLDER_IDS
    ],
)
def test_every_poison_is_rejected_by_both_readings(poison: Poison, message: Message) -> None:
    log = Log()
    log.append(Message(*poison.spoil(message.key, message.value, log.partitions)))
    assert len(Oracle(log.records, log.partitions).rejected) == 1
    [record] = log.records
    with pytest.raises(RejectedRecord) as rejected:
        parse(record.key, record.value, record.partition, log.partitions, record.appended_at, RULES)
    assert rejected.value.field
    assert rejected.value.rule
    assert "\n" not in str(rejected.value)


@pytest.mark.parametrize(
    ("message", "field", "value", "rule"),
    [
        (order(total_amount="-1"), "data.total_amount", "-1", "a decimal string, 0 or more"),
        (order(total_amount=9.5), "data.total_amount", 9.5, "a string: a decimal string, 0 or more"),  # type: ignore[arg-type] # that is the point
        (order(currency="EUR"), "data.currency", "EUR", "this deployment's currency is USD"),
        (order(status="lost"), "data.status", "lost", "one of .*completed"),
        (
            order(order_date="2101-01-01", updated_at="2024-06-01"),
            "time",
            "2101-01-01",
            "from 1970-01-01 to 2100-12-31",
        ),
        (order(updated_at="2024-06-01T10:00:00"), "data.updated_at", "2024-06-01T10:00:00", "RFC 3339 with an offset"),
        (ticket(priority="dire"), "data.priority", "dire", "one of .*urgent"),
        (order(currency="usd"), "data.currency", "usd", "three capital letters"),
        (ticket(category=""), "data.category", "", "1 to 128 characters, no control or invisible character"),
        (ticket(category="a "), "data.category", "a ", "no white space at the ends"),
        (ticket(category="a\u200d"), "data.category", "a\u200d", "joiners .* are allowed inside"),
        (marketing(campaign_id="a\u200db"), "data.campaign_id", "a\u200db", "white space at the ends$"),
        (refund("a\x00b"), "subject", "a\x00b", "no control or invisible character, .* no '/', and not '.' or '..'"),
        (refund("x" * 300), "subject", "x" * 300, "1 to 128 characters"),
        (marketing(campaign_id=None), "data.campaign_id", None, "a string: 1 to 128 characters"),  # type: ignore[arg-type] # that is the point
        (Message(b"bob", order().value), "key", b"bob", "data.customer_id is 'ada'"),
        (Message(None, order().value, 0), "key", None, "its customer's id in UTF-8"),
        (Message(b"ada", b"{broken"), "value", b"{broken", "a JSON object in UTF-8"),
        (Message(b"ada", b"[1e400, oops]"), "value", b"[1e400, oops]", "a JSON object in UTF-8: JSON is malformed"),
        (Message(b"ada", b"[1e400, 7]"), "value", ["1e400", "7"], "Expected `object`, got `array`"),
        (Message(b"ada", b'"ada'), "value", b'"ada', "a JSON object in UTF-8: Input data was truncated"),
        (Message(b"ada", b""), "value", b"", "a record has a value"),
    ],
)
def test_a_rejection_names_field_value_and_rule(message: Message, field: str, value: Any, rule: str) -> None:
    with pytest.raises(RejectedRecord, match=rule) as rejected:
        read(message)
    assert (rejected.value.field, rejected.value.value) == (field, value)


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("type", "required, and missing; one of order.recorded, .*customer.erased"),
        ("time", "required, and missing; RFC 3339"),
        ("data", "required, and missing"),
        ("data.status", "required, and missing; one of cancelled"),
    ],
)
def test_a_missing_field_is_named_with_its_rule(path: str, rule: str) -> None:
    content = json.loads(order().value or b"")
    *outer, name = path.split(".")
    (content[outer[0]] if outer else content).pop(name)
    with pytest.raises(RejectedRecord, match=rule) as rejected:
        read(Message(b"ada", json.dumps(content).encode()))
    assert (rejected.value.field, rejected.value.value) == (path, None)


JSON = order().value or b""


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (gzip.compress(JSON), "compressed with gzip"),
        (b"\x28\xb5\x2f\xfd" + JSON, "compressed with zstd"),
        (b"\x00\x00\x00\x00\x01" + JSON, "framed for a schema registry"),
        (JSON.decode().encode("utf-8-sig"), "JSON behind a byte order mark"),
        *((JSON.decode().encode(f"utf-{bits}"), f"UTF-{bits}") for bits in (16, 32)),
        *((JSON.decode().encode(f"utf-{bits}-{end}"), f"UTF-{bits}") for bits in (16, 32) for end in ("le", "be")),
        (b"\x1f\x8b" + b"[" * 200, "compressed with gzip"),
    ],
)
def test_a_value_in_another_format_is_named(value: bytes, name: str) -> None:
    with pytest.raises(RejectedRecord, match=f"this is {name}.*: send plain JSON") as rejected:
        read(Message(b"ada", value))
    assert (rejected.value.field, rejected.value.value) == ("value", value)


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/vnd.shop.order+json",
        "text/json;a=b",
    ],
)
def test_every_media_type_of_json_is_accepted(media_type: str) -> None:
    content = {**json.loads(JSON), "datacontenttype": media_type}
    assert read(Message(b"ada", json.dumps(content).encode())) == read(order())


@pytest.mark.parametrize("media_type", ["application/xml", "application/jsonl", "application/json+xml", "json", ""])
def test_another_media_type_is_rejected_with_what_to_send(media_type: str) -> None:
    content = {**json.loads(JSON), "datacontenttype": media_type}
    with pytest.raises(RejectedRecord, match="application/json, or another media type of JSON") as rejected:
        read(Message(b"ada", json.dumps(content).encode()))
    assert (rejected.value.field, rejected.value.value) == ("datacontenttype", media_type)


def test_a_record_in_another_partition_is_rejected() -> None:
    [record] = Log().append(order())
    with pytest.raises(RejectedRecord, match="the key's own partition") as rejected:
        parse(record.key, record.value, (record.partition + 1) % 4, 4, 0, RULES)
    assert rejected.value.field == "partition"


def test_further_fields_and_attributes_are_ignored() -> None:
    assert read(order(line_items=[{"sku": n, "of": [n]} for n in range(500)], note="\u2028{[")) == read(order())


def test_a_date_beyond_the_append_time_and_a_day_is_valid_and_reported() -> None:
    [record] = Log().append(order(order_date="2024-06-01", updated_at="2024-06-03T00:00:00Z"))
    latest = JUNE_1 + 48 * HOUR

    def future(appended_at: int) -> bool:
        return parse(record.key, record.value, record.partition, 4, appended_at, RULES).future_dated

    assert not future(latest - FUTURE_MARGIN_MICROS)
    assert future(latest - FUTURE_MARGIN_MICROS - 1)


def test_the_validation_version_follows_the_settings_that_validation_reads() -> None:
    assert validation_version(RULES) == validation_version(Rules("USD"))
    assert validation_version(RULES) != validation_version(Rules("EUR"))
