"""R2: the records' types, their encoding, and the JSON Schemas they give."""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from common.algebra.dates import MICROS_PER_DAY
from common.algebra.facts import Image, Origin
from common.algebra.payloads import Retracted
from common.errors import FieldError, RejectedRecord, SettingsError, shorten
from common.log.encoding import encode_record, retraction_data
from common.log.events import parse
from common.log.normalizing import Rules
from common.log.partition import partition_of
from common.log.schema import record_schema
from common.log.wire import BY_KIND, RECORD_TYPES
from tests.support.builders import Message, erasure, marketing, order, profile, refund, retraction, ticket
from tests.support.odd_values import OLDER_IDS

MESSAGES = {
    "order": (order(), order(currency="USD", order_date="2024-06-01T10:00:00Z")),
    "refund": (refund(), refund(currency="USD")),
    "support_ticket": (ticket(), ticket(resolved_date="2024-06-05", priority="urgent")),
    "marketing_event": (marketing(), marketing(event_type="campaign_view")),
    "customer_profile": (profile(), profile(birth_date=None)),
    "customer": (erasure(),),
}


TYPES: dict[str, type] = {"string": str, "object": dict, "null": type(None), "boolean": bool, "integer": int}


def violations(schema: dict[str, Any], content: Any, definitions: dict[str, Any]) -> Iterator[str]:
    """What of `content` breaks `schema`, for the keywords that the schemas use."""
    if "$ref" in schema:
        yield from violations(definitions[schema["$ref"].rsplit("/", 1)[1]], content, definitions)
    if "anyOf" in schema and all(any(violations(each, content, definitions)) for each in schema["anyOf"]):
        yield f"{content!r} fits none"
    if "type" in schema and not isinstance(content, TYPES[schema["type"]]):
        yield f"{content!r} is no {schema['type']}"
    if "const" in schema and content is not schema["const"]:
        yield f"{content!r} is not allowed"
    if "enum" in schema and content not in schema["enum"]:
        yield f"{content!r} is not allowed"
    if isinstance(content, str):
        yield from text_violations(schema, content)
    if isinstance(content, dict):
        yield from (f"{name} is missing" for name in schema.get("required", ()) if name not in content)
        for name in content.keys() & schema.get("properties", {}).keys():
            yield from violations(schema["properties"][name], content[name], definitions)


def text_violations(schema: dict[str, Any], text: str) -> Iterator[str]:
    if not schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", len(text)):
        yield f"{text!r} is too short or too long"
    if not re.search(schema.get("pattern", ""), text):
        yield f"{text!r} breaks {schema['pattern']}"


def broken(kind: str, content: Any) -> list[str]:
    schema: dict[str, Any] = record_schema(kind)
    return list(violations(schema, content, schema["$defs"]))


@pytest.mark.parametrize(("kind", "message"), [(kind, each) for kind, all_ in MESSAGES.items() for each in all_])
def test_a_valid_record_fits_its_schema_and_no_other(kind: str, message: Message) -> None:
    content = json.loads(message.value or b"")
    assert [name for name in BY_KIND if not broken(name, content)] == [kind]


@pytest.mark.parametrize("kind", BY_KIND)
def test_every_required_field_is_required_by_the_schema_too(kind: str) -> None:
    content = json.loads(MESSAGES[kind][0].value or b"")
    required = {field.name for field in msgspec.structs.fields(BY_KIND[kind].data) if field.required}
    for owner in (content, content["data"]):
        for name in list(owner) if owner is content else sorted(owner.keys() & required):
            kept = owner.pop(name)
            assert broken(kind, content), name
            owner[name] = kept
    assert not broken(kind, content)


@pytest.mark.parametrize("message", [each for kind, all_ in MESSAGES.items() if kind != "customer" for each in all_])
def test_r5b_a_retraction_fits_the_schema_of_its_kind_with_its_ids_and_version_alone(message: Message) -> None:
    taken_back = json.loads(retraction(message).value or b"")
    kind = RECORD_TYPES[taken_back["type"]].kind

    assert not broken(kind, taken_back)

    least = {"retracted"} if kind == "customer_profile" else set()  # without it, a profile that says nothing
    for name in taken_back["data"].keys() - least:
        lacking = {**taken_back, "data": {each: v for each, v in taken_back["data"].items() if each != name}}
        assert broken(kind, lacking), name


def test_r5b_an_encoded_retraction_is_read_back_as_one() -> None:
    for kind, entry in BY_KIND.items():
        if not entry.can_be_retracted:
            continue
        name = "ada" if entry.entity_id == "customer_id" else "x1"
        data = retraction_data(kind, name, "ada", "2024-06-01")

        value = encode_record(kind, data, event_id="1", source="tests", time="2024-06-01", source_row=7)

        event = parse(b"ada", value, partition_of("ada", 4), 4, 0, Rules("USD"))
        assert (event.kind, event.entity_id, event.origin) == (kind, name, Origin("tests", 7))
        assert event.image == Image(19_875 * MICROS_PER_DAY, Retracted(kind))


@pytest.mark.parametrize("customer_id", ["", "x" * 129, "a/b", "a\n", "a\x00", ".", "..", "a ", "a\u200b"])
def test_the_schema_refuses_the_customer_ids_that_parse_refuses(customer_id: str) -> None:
    content = json.loads(order().value or b"")
    assert not broken("order", content)
    assert broken("order", {**content, "subject": customer_id})
    assert broken("order", {**content, "data": {**content["data"], "customer_id": customer_id}})


@pytest.mark.parametrize("customer_id", OLDER_IDS)
def test_r24_the_schema_of_erasures_takes_the_ids_of_an_older_release_and_no_other_schema_does(
    customer_id: str,
) -> None:
    for kind, messages in MESSAGES.items():
        content = json.loads(messages[0].value or b"")
        renamed = {**content, "subject": customer_id, "data": {**content["data"], "customer_id": customer_id}}
        assert bool(broken(kind, renamed)) == (kind != "customer")


@pytest.mark.parametrize("customer_id", ["", "x" * 129, "a/b", "a\n", "a\x00"])
def test_the_schema_of_erasures_refuses_what_no_release_accepted(customer_id: str) -> None:
    content = json.loads(erasure().value or b"")

    assert broken("customer", {**content, "subject": customer_id})
    assert broken("customer", {**content, "data": {"customer_id": customer_id}})


@pytest.mark.parametrize("kind", BY_KIND)
def test_an_encoded_record_is_read_back_as_the_entity_it_was(kind: str) -> None:
    entry = BY_KIND[kind]
    data = json.loads(MESSAGES[kind][0].value or b"")["data"]
    value = encode_record(kind, entry.data(**data), event_id="1", source="tests", time="2024-06-01")
    assert {name: each for name, each in json.loads(value)["data"].items() if each is not None} == data
    assert not broken(kind, json.loads(value))
    event = parse(b"ada", value, partition_of("ada", 4), 4, 0, Rules("USD"))
    assert (event.customer_id, event.kind, event.entity_id) == ("ada", kind, data[entry.entity_id])


def test_the_six_types_are_named_as_in_the_contract() -> None:
    assert set(RECORD_TYPES) == {
        "order.recorded", "refund.recorded", "support_ticket.recorded", "marketing_event.recorded", "customer.erased",
        "customer_profile.recorded",
    }  # fmt: skip


@pytest.mark.parametrize("kind", [RejectedRecord, SettingsError])
def test_an_error_of_a_field_is_one_line_with_field_value_and_rule(kind: type[FieldError]) -> None:
    error = kind("data.amount", "line\nbreak" + "9" * 300, "a rule")
    assert str(error).startswith("data.amount: 'line\\nbreak999")
    assert str(error).endswith("… (313 characters): a rule")
    assert len(str(error)) < 140


def test_a_short_value_is_quoted_whole() -> None:
    assert shorten("x") == "'x'"
    assert shorten(b"\x00") == "b'\\x00'"
