"""R3: half of a surrogate pair rejects a record where it is read, and nowhere else; the reason is true."""

import json
from typing import Any, Final

import msgspec
import pytest

from common.errors import RejectedRecord
from common.log.decoding import decode
from common.log.surrogates import RULE
from common.log.wire import RECORD_TYPES, RETRACTIONS
from tests.support.builders import Message, erasure, marketing, order, profile, refund, retraction, ticket

WHOLE: Final = (
    order(currency="USD"), refund(currency="USD", updated_at="2024-06-03"), ticket(resolved_date="2024-06-05"),
    marketing(updated_at="2024-06-03"), profile(), erasure(),
)  # fmt: skip
RETRACTED: Final = tuple(retraction(message) for message in WHOLE[:-1])
LONE: Final = (
    "\ud83d",
    "\ude00",
    "\ud83d!",
    "\ude00\ud83d",
    "\ud83d\U0001f600",
    "\ud83d\\",
    '\ud83d"',
    "\ud83d\n",
    "\ud83dA",
)


def content_of(message: Message) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(message.value or b"")
    return content


def encoded(content: object) -> bytes:
    """JSON whose surrogates are escapes."""
    return json.dumps(content).encode()


def text_fields(message: Message) -> list[tuple[str, str]]:
    """The owner and the name of each text that is read in the message."""
    content = content_of(message)
    entry = RECORD_TYPES[content["type"]]
    record = RETRACTIONS[entry.kind] if content["data"].get("retracted") else entry.record
    read = {"": record, "data": record.__annotations__["data"]}
    return [
        (owner, field.encode_name)
        for owner, type_ in read.items()
        for field in msgspec.structs.fields(type_)
        if isinstance((content["data"] if owner else content).get(field.encode_name, "absent"), str)
    ]


def spoiled(message: Message, owner: str, name: str, text: str) -> dict[str, Any]:
    content = content_of(message)
    (content["data"] if owner else content)[name] = text
    return content


@pytest.mark.parametrize("lone", LONE, ids=ascii)
@pytest.mark.parametrize("message", [*WHOLE, *RETRACTED], ids=lambda message: message.value[-60:])
def test_every_text_that_is_read_is_rejected_with_its_field_and_its_value(message: Message, lone: str) -> None:
    """Texts without a form of their own get the rule on surrogates, others their own rule, which is broken as well."""
    for owner, name in text_fields(message):
        with pytest.raises(RejectedRecord) as rejected:
            decode(encoded(spoiled(message, owner, name, f"a{lone}")))
        assert rejected.value.field == f"{owner}.{name}".lstrip(".")
        assert rejected.value.value == f"a{lone}"
        assert "truncated" not in rejected.value.rule
        assert "malformed" not in rejected.value.rule
    for name in ("id", "source"):
        with pytest.raises(RejectedRecord, match=f"^{name}: .*{RULE}"):
            decode(encoded(spoiled(message, "", name, f"a{lone}")))


@pytest.mark.parametrize("lone", LONE, ids=ascii)
@pytest.mark.parametrize("message", [*WHOLE, *RETRACTED], ids=lambda message: message.value[-60:])
def test_no_field_that_is_not_read_rejects_a_record(message: Message, lone: str) -> None:
    expected = decode(message.value)

    for owner in ("", "data"):
        assert decode(encoded(spoiled(message, owner, "note", lone))) == expected
        assert decode(encoded(spoiled(message, owner, f"note{lone}", lone))) == expected
        assert decode(encoded(spoiled(message, owner, "note", {lone: [lone]}))) == expected  # type: ignore[arg-type] # not a text
        assert decode(encoded(spoiled(message, owner, f"{lone}time", lone))) == expected


@pytest.mark.parametrize("message", RETRACTED, ids=lambda message: message.value[-60:])
def test_r5b_a_retraction_reads_its_few_fields_only(message: Message) -> None:
    further = {"total_amount": "\ud83d", "priority": ["\ude00"], "note": "\ud83d", "amount": 7}
    content = content_of(message)
    content["data"] = {**further, **content["data"]}

    assert decode(encoded(content)) == decode(message.value)


def test_r5b_a_retraction_with_a_number_out_of_range_that_nobody_reads_is_valid() -> None:
    message = retraction(order(), total_amount="@")

    assert decode((message.value or b"").replace(b'"@"', b"1e400")) == decode(retraction(order()).value)


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [("status", "lost", "one of"), ("total_amount", 7, "a string: a decimal"), ("updated_at", None, "RFC 3339")],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_record_that_is_wrong_otherwise_gets_that_reason(field: str, value: object, rule: str, first: bool) -> None:
    """Whether the half of a pair stands before or behind what is wrong."""
    content = content_of(order())
    note = {"note": "\ud83d"}
    content["data"] = {**(note if first else {}), **content["data"], field: value, **({} if first else note)}

    with pytest.raises(RejectedRecord, match=rule) as rejected:
        decode(encoded(content))

    assert (rejected.value.field, rejected.value.value) == (f"data.{field}", value)


@pytest.mark.parametrize("data", ["\ud83d", ["\ud83d"], {"\ud83d": "\ude00"}])
def test_a_value_of_a_wrong_type_is_quoted_as_it_was_sent(data: object) -> None:
    with pytest.raises(RejectedRecord) as rejected:
        decode(encoded({**content_of(order()), "subject": data}))

    assert (rejected.value.field, rejected.value.value) == ("subject", data)


def test_a_value_that_ends_early_keeps_its_true_reason() -> None:
    value = encoded({**content_of(order()), "note": "\ud83d"})

    for size in range(1, len(value)):
        with pytest.raises(RejectedRecord, match="a JSON object in UTF-8") as rejected:
            decode(value[:size])
        assert (rejected.value.field, rejected.value.value) == ("value", value[:size])
    for spelled, rule in ((b'\\ud83d"', "truncated"), (b"\\ud83", "truncated|escape"), (b'\\x"', "escape")):
        with pytest.raises(RejectedRecord, match=rule):
            decode(b'{"note": "\\ud83d", "more": "' + spelled)


def test_the_position_in_a_message_is_that_of_the_record_as_it_was_sent() -> None:
    value = b'{"note": "\\ud83d\\ude00\\ude00", oops}'

    with pytest.raises(RejectedRecord, match=rf"\(byte {value.index(b'oops')}\)"):
        decode(value)


def test_the_limit_of_nesting_remains() -> None:
    deep: object = "\ud83d"
    for _ in range(98):
        deep = [deep]
    assert decode(encoded({**content_of(order()), "note": [deep]})) == decode(order().value)

    with pytest.raises(RejectedRecord, match="nested at most 100 deep"):
        decode(encoded({**content_of(order()), "note": [[deep]]}))


def test_a_backslash_before_the_letters_of_an_escape_is_text() -> None:
    content = {**content_of(order()), "source": "\\ud83d", "note": "\ud83d"}

    assert decode(encoded(content)).source == "\\ud83d"


def test_a_number_out_of_range_beside_half_of_a_pair_is_quoted_as_text() -> None:
    value = encoded({**content_of(order()), "subject": ["\ud83d", 7]}).replace(b"7]", b"1e400]")

    with pytest.raises(RejectedRecord, match="a string: ") as rejected:
        decode(value)

    assert (rejected.value.field, rejected.value.value) == ("subject", ["\ud83d", "1e400"])
