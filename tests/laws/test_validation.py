"""R3: `parse` and the oracle, two readings of one rule book, accept the same records and read the same from them."""

import json
import string
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.algebra import facts, payloads
from common.algebra.dates import parse_moment
from common.algebra.profile import CustomerProfile
from common.errors import RejectedRecord
from common.log.events import Event, parse
from common.log.partition import partition_of as common_partition_of
from common.log.texts import CUSTOMER_ID_RULE
from infra.proof.oracle_reading import Entry, RawRecord, partition_of, read
from infra.proof.oracle_values import Invalid, when
from tests.support.builders import Log, Message, erasure, marketing, order, profile, refund, retraction, ticket
from tests.support.model import RULES
from tests.support.odd_values import DATES, FIELDS, OLDER_IDS, TEXTS, TOKENS
from tests.support.strategies import PARTITIONS, entities, erasures, logs, older_ids

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


NOWHERE: Final = facts.Origin("")
"""Where a record came from is not the oracle's business."""


def micros(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def by_parse(record: RawRecord) -> Event | None:
    try:
        return parse(record.key, record.value, record.partition, PARTITIONS, record.appended_at, RULES)
    except RejectedRecord:
        return None


def by_oracle(record: RawRecord) -> Event | None:
    try:
        entry = read(record, PARTITIONS, "USD")
    except Invalid:
        return None
    if entry.retracted:
        payload: payloads.Payload | None = payloads.Retracted(entry.kind)
    else:
        payload = PAYLOADS[entry.kind](entry) if entry.kind in PAYLOADS else None
    image = None if payload is None else facts.Image(micros(entry.version), payload)
    return Event(entry.customer_id, entry.kind, entry.entity_id, image, NOWHERE)


def _ticket(entry: Entry) -> payloads.SupportTicket:
    f, resolved = entry.fields, entry.fields.get("resolved_date")
    at, seconds = (micros(resolved.at), f["resolution_seconds"]) if resolved else (None, None)
    return payloads.SupportTicket(f["category"], f["priority"], micros(f["created_date"].at), at, seconds)


def _profile(entry: Entry) -> CustomerProfile:
    f, signed_up, born = entry.fields, entry.fields.get("signed_up_date"), entry.fields.get("birth_date")
    born_at = None if born is None else micros(datetime(born.year, born.month, born.day, tzinfo=UTC))
    return CustomerProfile(
        None if signed_up is None else micros(signed_up.at), born_at, f.get("country"), f.get("segment")
    )


PAYLOADS: Final[dict[str, Callable[[Entry], payloads.Payload]]] = {
    "order": lambda e: payloads.Order(
        micros(e.fields["order_date"].at), int(e.fields["total_amount"] * 100), e.fields["status"]
    ),
    "refund": lambda e: payloads.Refund(
        e.fields["order_id"], micros(e.fields["refunded_at"].at), int(e.fields["amount"] * 100)
    ),
    "support_ticket": _ticket,
    "customer_profile": _profile,
    "marketing_event": lambda e: payloads.MarketingEvent(
        e.fields["event_type"], micros(e.fields["event_date"].at), e.fields["campaign_id"]
    ),
}


def agree(record: RawRecord) -> Event | None:
    """What both read, but for the flag that concerns only reports.

    Of a repeated name the last value counts, or the record is rejected for an earlier one; it never counts.
    """
    found, expected = by_parse(record), by_oracle(record)
    if found is not None:
        found = Event(found.customer_id, found.kind, found.entity_id, found.image, NOWHERE)
    if found != expected:
        assert found is None, record.value
        assert repeats_a_name(record.value or b""), record.value
    return found


def repeats_a_name(value: bytes) -> bool:
    repeated = []

    def note(pairs: list[tuple[str, object]]) -> None:
        repeated.append(len(dict(pairs)) < len(pairs))

    with suppress(ValueError):
        json.loads(value.decode(), object_pairs_hook=note, parse_int=len)
    return any(repeated)


@given(logs)
def test_every_record_of_a_log_is_read_alike(log: Log) -> None:
    for record in log.records:
        agree(record)


# Records out of joint: JSON put together from name and text pairs, so that anything can stand anywhere.

Pairs = list[tuple[str, str]]
texts = st.sampled_from((*TEXTS, *DATES)) | st.text(max_size=8) | st.text(string.printable, max_size=8)
tokens = st.one_of(
    st.sampled_from(TOKENS),
    texts.map(lambda text: json.dumps(text, ensure_ascii=False)),
    texts.map(json.dumps),
    st.text('a\ud83d\ude00\\"', max_size=4).map(json.dumps),  # halves of surrogate pairs, lone and side by side
)


def pairs_of(content: dict[str, object]) -> Pairs:
    return [(name, json.dumps(value, ensure_ascii=False)) for name, value in content.items()]


def text_of(pairs: Pairs) -> str:
    return "{" + ", ".join(f'"{name}": {text}' for name, text in pairs) + "}"


@st.composite
def _disturbed(draw: st.DrawFn, pairs: Pairs, most: int) -> Pairs:
    """The pairs with a few of them replaced, dropped, doubled, added or moved."""
    pairs = list(pairs)
    for _ in range(draw(st.integers(0, most))):
        at = draw(st.integers(0, max(len(pairs) - 1, 0)))
        match draw(st.sampled_from(("replace", "drop", "double", "add", "move"))):
            case "replace" if pairs:
                pairs[at] = (pairs[at][0], draw(tokens))
            case "drop" if pairs:
                pairs.pop(at)
            case "double" if pairs:
                pairs.insert(draw(st.integers(0, len(pairs))), (pairs[at][0], draw(st.just(pairs[at][1]) | tokens)))
            case "move" if pairs:
                pairs.append(pairs.pop(at))
            case _:
                pairs.insert(at, (draw(st.sampled_from(FIELDS)), draw(tokens)))
    return pairs


@st.composite
def disturbed_records(draw: st.DrawFn) -> RawRecord:
    """A record nearly valid; its key and partition fit the customer id in its data, wherever that is text."""
    content = json.loads(draw(entities | erasures).value or b"")
    data = draw(_disturbed(pairs_of(content.pop("data")), 2))
    envelope = [*pairs_of(content), ("data", text_of(data))]
    if draw(st.booleans()):
        envelope = draw(_disturbed(envelope, 2))
    elif draw(st.booleans()):
        name = draw(texts)
        data = [(field, json.dumps(name) if field == "customer_id" else text) for field, text in data]
        envelope = [(field, json.dumps(name) if field == "subject" else text) for field, text in envelope[:-1]]
        envelope.append(("data", text_of(data)))
    return _sent(text_of(envelope).encode("utf-8", "surrogatepass"), dict(data).get("customer_id", ""))


def _sent(value: bytes, customer: str) -> RawRecord:
    try:
        key = json.loads(customer).encode()
        partition = partition_of(key.decode(), PARTITIONS)
    except (ValueError, AttributeError):
        key, partition = b"ada", partition_of("ada", PARTITIONS)
    return RawRecord(partition, 7, key, value, 0)


@given(disturbed_records())
def test_a_record_out_of_joint_is_read_alike(record: RawRecord) -> None:
    agree(record)


@given(disturbed_records(), st.data())
def test_a_record_with_bytes_changed_is_read_alike(record: RawRecord, data: st.DataObject) -> None:
    value = bytearray(record.value or b"")
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(value)))
        value[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    agree(record._replace(value=bytes(value)))


WHOLE: Final = (
    order(currency="USD"), refund(), ticket(resolved_date="2024-06-05T10:00:00Z"), marketing(), erasure()
)  # fmt: skip


def variants(pairs: Pairs, odd: list[str], doubled: list[str]) -> Iterator[Pairs]:
    """Each pair with each odd value; dropped; and doubled, the odd value before it and after it."""
    for at, (name, text) in enumerate(pairs):
        puts = [[(name, token)] for token in odd]
        puts += [[(name, token), (name, text)] for token in doubled] + [
            [(name, text), (name, token)] for token in doubled
        ]
        for put in ([], *puts):
            yield [*pairs[:at], *put, *pairs[at + 1 :]]


@pytest.mark.parametrize("message", WHOLE, ids=lambda message: json.loads(message.value)["type"])
def test_every_field_with_every_odd_value_is_read_alike(message: Message) -> None:
    """No search: each field of each type, at each odd text and token."""
    content = json.loads(message.value or b"")
    inner, outer = pairs_of(content.pop("data")), pairs_of(content)
    odd = [*TOKENS, *(json.dumps(text, ensure_ascii=False) for text in (*TEXTS, *DATES))]
    records = [(data, outer) for data in variants(inner, odd, odd[::12])]
    records += [(inner, envelope) for envelope in variants(outer, odd, odd[::12])]
    found = Counter[bool]()
    for data, envelope in records:
        value = text_of([*envelope, ("data", text_of(data))]).encode("utf-8", "surrogatepass")
        found[agree(_sent(value, dict(data).get("customer_id", ""))) is not None] += 1
    assert found[True] > 50
    assert found[False] > 500


# Ids of customers that only an older release accepted.


def judged(message: Message) -> Event | None:
    [record] = Log(PARTITIONS).append(message)
    return agree(record)


@given(older_ids)
def test_r24_an_id_that_only_an_older_release_accepted_can_be_erased_and_nothing_else(customer_id: str) -> None:
    found = judged(erasure(customer_id))

    assert found is not None
    assert (found.customer_id, found.entity_id, found.is_erasure) == (customer_id, customer_id, True)
    for build in (order, refund, ticket, marketing, profile):
        assert judged(build(customer_id)) is None
        assert judged(retraction(build(customer_id))) is None


@pytest.mark.parametrize("customer_id", OLDER_IDS)
@pytest.mark.parametrize("build", [order, refund, ticket, marketing, profile])
def test_a_record_under_such_an_id_is_rejected_for_its_field_and_the_strict_rule(
    build: Callable[[str], Message], customer_id: str
) -> None:
    message = build(customer_id)
    subjected = json.loads(message.value or b"")
    other = {**subjected, "subject": "ada"}

    for content, field in ((subjected, "subject"), (other, "data.customer_id")):
        with pytest.raises(RejectedRecord) as rejected:
            parse(message.key, json.dumps(content).encode(), 0, PARTITIONS, 0, RULES)
        assert (rejected.value.field, rejected.value.value) == (field, customer_id)
        assert rejected.value.rule == CUSTOMER_ID_RULE


@pytest.mark.parametrize("customer_id", ["", "a/b", "a\n", "x" * 129, "a\x85"])
def test_r24_an_id_that_no_release_accepted_cannot_be_erased(customer_id: str) -> None:
    assert judged(erasure(customer_id)) is None

    with pytest.raises(RejectedRecord, match="no control character, no '/': an erasure takes every id that an older"):
        parse(customer_id.encode(), erasure(customer_id).value, 0, PARTITIONS, 0, RULES)


# Dates alone, where most rules are.

_digits = st.integers(0, 99).map("{:02}".format)
_dates = st.builds(
    "{}-{}-{}{}{}".format,
    st.sampled_from(("0000", "0001", "1969", "1970", "2000", "2024", "2100", "2101", "9999")) | st.integers(1970, 2100),
    st.sampled_from(("01", "02", "12", "00", "13")) | _digits,
    st.sampled_from(("01", "28", "29", "30", "31", "00", "32")) | _digits,
    st.sampled_from(("", "T00:00:00", "t23:59:59", " 24:00:00", "T23:59:60", "T10:00:00.5", "T10:00:00.123456789")),
    st.sampled_from(("", "Z", "z", "+00:00", "-00:00", "+14:00", "-23:59", "+24:00", "+23:60", "+1:00", "Z\n")),
)  # fmt: skip


@given(_dates | st.sampled_from(DATES) | st.text("0123456789-:.TtZz+ ", max_size=30))
def test_a_date_is_read_alike(text: str) -> None:
    try:
        found = parse_moment(text)
    except ValueError:
        with pytest.raises(Invalid):
            when(text)
    else:
        assert (found.micros, found.plain) == (micros(when(text).at), when(text).plain)


@given(st.text(max_size=40), st.integers(1, 1000))
def test_a_key_is_given_the_same_partition(key: str, partitions: int) -> None:
    """R1"""
    assert common_partition_of(key, partitions) == partition_of(key, partitions)


# Purity.


def at_depth(depth: int, call: Callable[[], object]) -> object:
    return call() if depth == 0 else at_depth(depth - 1, call)


@pytest.mark.parametrize("nested", [1, 50, 98, 99, 100, 5000])
def test_the_outcome_does_not_depend_on_how_deep_the_stack_is(nested: int) -> None:
    """Near the stack's end Python itself may give up, which stops the partition; it never makes a record invalid."""
    [record] = Log(PARTITIONS).append(order(extension=None))
    value = (record.value or b"").replace(b"null", b"[" * nested + b"]" * nested)
    record = record._replace(value=value)
    shallow = by_parse(record)
    assert (shallow is not None) == (nested <= 98)
    for depth in range(0, sys.getrecursionlimit(), 25):
        try:
            assert at_depth(depth, lambda: by_parse(record)) == shallow
        except RecursionError:
            continue


@given(logs, st.integers(0, 2**62), st.integers(0, 2**62))
def test_the_append_time_decides_nothing_but_the_report_of_future_dates(log: Log, early: int, late: int) -> None:
    for record in log.records:
        before, after = by_parse(record._replace(appended_at=early)), by_parse(record._replace(appended_at=late))
        assert (before is None) == (after is None)
        if before and after:
            assert (before.entity_id, before.image) == (after.entity_id, after.image)
