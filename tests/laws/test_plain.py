"""R3: validation column by column gives what `parse` gives record by record, and leaves to it what it does not know."""

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_layer.master.murmur import partitions_of
from batch_layer.master.plain import KINDS, PLAIN_AMOUNT, PLAIN_MOMENT, PLAIN_TEXT, plainly_valid
from batch_layer.master.table import ARROW, FACT, PARSED, RAW, REJECTION
from batch_layer.master.validate import parsed, row_of
from common.algebra.dates import DATE_RULE, parse_moment
from common.log import texts
from common.log.partition import partition_of
from tests.support.builders import Log, Message, marketing, order, random_log, refund
from tests.support.model import RULES
from tests.support.odd_values import DATES, FIELDS, TEXTS, TOKENS
from tests.support.poison import POISONS
from tests.support.strategies import PARTITIONS, entities, logs

AT: Final = 1_720_000_000_000_000
IDS: Final = (texts.CustomerIdText, texts.ErasableIdText, texts.IdText, texts.CategoryText, texts.SegmentText)


class Raw(NamedTuple):
    """A record as the master's raw columns have it."""

    partition: int
    offset: int
    appended_at: int
    key: bytes | None
    value: bytes | None


def batch_of(records: Sequence[Raw]) -> pa.RecordBatch:
    columns = zip(*records, strict=True) if records else ((),) * len(RAW)
    return pa.RecordBatch.from_arrays(
        [pa.array(values, ARROW[kind]) for values, kind in zip(columns, RAW.values(), strict=True)], names=list(RAW)
    )


def raw(key: bytes | None, value: bytes | None, at: int = AT, partition: int | None = None) -> Raw:
    own = 0 if key is None else int(partitions_of(pa.array([key], pa.binary()), PARTITIONS)[0])
    return Raw(own if partition is None else partition, 0, at, key, value)


def in_columns(records: Sequence[Raw]) -> list[tuple[object, ...]]:
    found = parsed(batch_of(records), PARTITIONS, RULES)
    assert [column.type for column in found] == [ARROW[kind] for kind in PARSED.values()]
    return list(zip(*(column.to_pylist() for column in found), strict=True))


def one_by_one(records: Sequence[Raw]) -> list[tuple[object, ...]]:
    return [row_of(each.partition, each.appended_at, each.key, each.value, PARTITIONS, RULES) for each in records]


def count(records: Sequence[Raw]) -> int:
    """How many of the records are plainly valid."""
    return sum(len(part.places) for part in plainly_valid(batch_of(records), PARTITIONS, RULES))


def of_log(log: Log) -> list[Raw]:
    return [Raw(each.partition, each.offset, each.appended_at, each.key, each.value) for each in log.records]


@given(logs)
def test_a_log_with_every_kind_of_record_and_of_poison(log: Log) -> None:
    records = of_log(log)
    assert in_columns(records) == one_by_one(records)


@given(st.integers(0, 10**9), st.integers(0, 300))
def test_a_long_log_of_random_histories(seed: int, length: int) -> None:
    records = of_log(random_log(seed, length, partitions=PARTITIONS))
    assert in_columns(records) == one_by_one(records)


odd_tokens = st.sampled_from(TOKENS) | st.sampled_from((*DATES, *TEXTS)).map(json.dumps)


@given(st.lists(st.tuples(entities, st.sampled_from(FIELDS), odd_tokens), max_size=30))
def test_odd_values_in_every_field(spoiled: list[tuple[Message, str, str]]) -> None:
    records = []
    for message, field, token in spoiled:
        content = json.loads(message.value or b"")
        owner = content["data"] if field in content["data"] else content
        owner[field] = "here"
        value = json.dumps(content).replace('"here"', token).encode()
        records += [raw(message.key, value), raw(message.key, message.value)]
    assert in_columns(records) == one_by_one(records)


def changed(message: Message | None = None, **data: Any) -> tuple[bytes | None, bytes]:
    """An order, or `message`, with changes in its data, or in its envelope where a name begins with `e_`."""
    key, value = (message or order("ada", "o1"))[:2]
    content = json.loads(value or b"")
    for name, change in data.items():
        owner = content if name.startswith("e_") else content["data"]
        owner[name.removeprefix("e_")] = change
    return key, json.dumps(content).encode()


PLAIN: Final = {
    "an order": changed(),
    "a refund": changed(refund("ada", "r1")),
    "a refund with a version": changed(refund("ada", "r1"), updated_at="2024-05-01"),
    "a marketing event": changed(marketing("ada", "e1")),
    "a moment": changed(order_date="2024-02-28T23:59:59Z", updated_at="2024-06-01T00:00:00.123456Z"),
    "no decimals": changed(total_amount="12"),
    "one decimal": changed(total_amount="12.5"),
    "the greatest amount": changed(total_amount="9999999999.99"),
    "its own currency": changed(currency=RULES.currency),
    "a currency that is null": changed(currency=None),
    "not retracted, in so many words": changed(retracted=False),
    "unknown fields": changed(colour="green", e_traceparent="x"),
    "where it came from": changed(e_sourcerow=7, e_datacontenttype="application/json"),
    "the longest id of an envelope": changed(e_id="x" * 512),
    "an address as id": changed(order("ada.b-c@example.com", "o 1:2#3")),
    "a date after the append time": changed(order_date="2099-12-31"),
}
"""What must be plainly valid: nothing of it may fall back."""
LEFT: Final = {
    "a leap day": changed(order_date="2024-02-29"),
    "no such day": changed(order_date="2023-02-29"),
    "the year 2100": changed(order_date="2100-01-01"),
    "the year 1969": changed(order_date="1969-12-31"),
    "hour 24": changed(order_date="2024-01-01T24:00:00Z"),
    "a leap second": changed(order_date="2024-01-01T23:59:60Z"),
    "an offset": changed(updated_at="2024-01-01T00:00:00+02:00"),
    "a line break behind a date": changed(order_date="2024-01-01\n"),
    "a moment of ten characters": changed(order_date="2024-1-1T0"),
    "a date of another script": changed(order_date="\uff12024-01-01"),
    "no date": changed(e_time=""),
    "three decimals": changed(total_amount="1.999"),
    "zeros that do not count": changed(total_amount="1.9900"),
    "eleven digits": changed(total_amount="12345678901"),
    "a negative amount": changed(total_amount="-1.00"),
    "an amount as a number": changed(total_amount=1.5),
    "a line break behind an amount": changed(total_amount="1.00\n"),
    "another currency": changed(currency="EUR"),
    "a retraction": changed(retracted=True),
    "retracted is null": changed(retracted=None),
    "an unknown status": changed(status="lost"),
    "an unknown type": changed(e_type="order.deleted"),
    "another version of the specification": changed(e_specversion="0.3"),
    "an empty id of the envelope": changed(e_id=""),
    "a long id of the envelope": changed(e_id="x" * 513),
    "an empty source": changed(e_source=""),
    "row 0 of the source": changed(e_sourcerow=0),
    "another media type": changed(e_datacontenttype="application/xml"),
    "a media type of JSON": changed(e_datacontenttype="application/problem+json"),
    "another subject": changed(e_subject="bob"),
    "another customer": changed(customer_id="bob"),
    "an id with a slash": changed(order("ada", "a/b")),
    "an id of dots": changed(order("..", "o1")),
    "a long id": changed(order("ada", "o" * 129)),
    "an id with white space at its end": changed(order("ada", "o1 ")),
    "an id of another script": changed(order("zoë", "o1")),
    "an empty id": changed(order("ada", "")),
    "no key": (None, order("ada", "o1").value),
    "another key": (b"bob", order("ada", "o1").value),
    "no value": (b"ada", None),
    "an empty value": (b"ada", b""),
    "no JSON": (b"ada", b"{"),
    "nested too deeply": changed(more=json.loads("[" * 99 + "]" * 99)),
    "not UTF-8 in a field that nobody reads": (b"ada", changed(colour="green")[1].replace(b"green", b"\xff\xfe")),
    "a lone surrogate in a field that nobody reads": (b"ada", changed(colour="green")[1].replace(b"green", b"\\ud800")),
    "a number beyond all bounds in a field that nobody reads": (
        b"ada",
        changed(colour="green")[1].replace(b'"green"', b"1e999"),
    ),
    "a field twice": (b"ada", changed()[1].replace(b'"status":', b'"status": "lost", "status":')),
}
"""What is left to `parse`, or at least must come out as it does."""


@pytest.mark.parametrize("name", PLAIN)
def test_what_is_plainly_valid(name: str) -> None:
    record = raw(*PLAIN[name])
    assert count([record]) == 1
    assert in_columns([record]) == one_by_one([record])
    assert in_columns([record])[0][0] is None


@pytest.mark.parametrize("name", LEFT)
def test_what_is_left_to_parse(name: str) -> None:
    """Beside a plain record before and behind it, whose places it must not take."""
    plain = raw(*PLAIN["an order"])
    records = [plain, raw(*LEFT[name]), plain]
    assert in_columns(records) == one_by_one(records)


@pytest.mark.parametrize("poison", POISONS, ids=lambda poison: poison.name)
def test_every_poison_is_rejected_as_parse_rejects_it(poison: Any) -> None:
    for message in (order("ada", "o1"), refund("ada", "r1"), marketing("ada", "e1")):
        key, value, partition = poison.spoil(message.key, message.value, PARTITIONS)
        records = [raw(key, value, partition=partition)]
        assert in_columns(records) == one_by_one(records)
        assert in_columns(records)[0][2] is not None


def test_a_record_in_a_partition_that_is_not_its_own() -> None:
    record = raw(*PLAIN["an order"])
    wrong = record._replace(partition=1 - record.partition)
    assert count([wrong]) == 0
    assert in_columns([wrong]) == one_by_one([wrong])


def test_an_empty_batch() -> None:
    assert in_columns([]) == []


@given(st.lists(st.binary(max_size=40) | st.text(max_size=40).map(str.encode), max_size=20), st.integers(1, 1000))
def test_r1_the_partition_of_many_keys_is_that_of_each(keys: list[bytes], partitions: int) -> None:
    readable = [key for key in keys if key.decode("utf-8", "ignore").encode() == key]
    found = partitions_of(pa.array([b"before", *readable], pa.binary())[1:], partitions)
    assert found.tolist() == [partition_of(key.decode(), partitions) for key in readable]


@given(st.from_regex(PLAIN_TEXT.replace("$", r"\Z")))
def test_a_plain_text_is_an_id_and_a_label_by_every_rule(text: str) -> None:
    for kind in IDS:
        assert msgspec.convert(text, kind) == text


@given(st.from_regex(PLAIN_MOMENT.replace("$", r"\Z")), st.from_regex(PLAIN_AMOUNT.replace("$", r"\Z")))
def test_a_plain_moment_and_a_plain_amount_are_valid(moment: str, amount: str) -> None:
    assert msgspec.convert(moment, texts.DateText) == moment
    assert parse_moment(moment).micros >= 0, DATE_RULE
    assert msgspec.convert(amount, texts.AmountText) == amount


def test_each_kind_of_long_histories_is_known() -> None:
    assert set(KINDS) == {"order", "refund", "marketing_event"}


@pytest.mark.parametrize("field", ["e_time", "order_date", "updated_at"])
@pytest.mark.parametrize(("moment", "is_future"), [("09:46:40Z", False), ("09:46:40.000001Z", True)])
def test_a_record_is_future_dated_by_any_of_its_dates_beyond_a_day_after_its_append(
    field: str, moment: str, *, is_future: bool
) -> None:
    assert parse_moment("2024-07-03T09:46:40Z").micros == AT
    record = raw(*changed(None, **{field: f"2024-07-04T{moment}"}))
    assert count([record]) == 1
    assert in_columns([record]) == one_by_one([record])
    assert in_columns([record])[0][len(REJECTION) + list(FACT).index("future_dated")] is is_future
