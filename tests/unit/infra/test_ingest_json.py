"""JSON Lines files as they come: what is no JSON Lines is named, and only what cannot be read is rejected."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from common.errors import UsageError
from infra.ingest.rows import Reading
from tests.support.ingest_files import opened, read


def test_halves_of_surrogates_and_numbers_of_any_length_reject_no_row(tmp_path: Path) -> None:
    lines = [b'{"a": "cut \\ud83d", "b": 0.10}', b'{"a": "\xff", "b": 1}', b'{"a": 1' + b"0" * 5000 + b', "b": 1e400}']

    first, second, third = read(tmp_path, "orders.jsonl", b"\n".join(lines))

    assert first.values == {"a": "cut \ud83d", "b": Decimal("0.10")}
    assert second.values == {"a": "\udcff", "b": 1}
    assert third.values == {"a": Decimal("1E+5000"), "b": Decimal("1E+400")}


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ('{"a": NaN}', "one JSON object a line: NaN is no JSON value; null is one"),
        ('{"a": -Infinity}', "one JSON object a line: -Infinity is no JSON value; null is one"),
        ('{"a": 1e99999999999999999999}', "one JSON object a line: an exponent has at most 18 digits"),
        ('{"a": "b', "one JSON object a line: Unterminated string starting at (character 7)"),
        ('{"a": 1}{"a": 2}', "one JSON object a line: Extra data (character 9)"),
        ('{"a": ' + "[" * 100_000, "one JSON object a line: this one is nested too deeply"),
        ("[1]", "a JSON object, with a value for each column"),
    ],
)
def test_a_line_that_is_no_object_is_one_rejected_row_with_its_text(tmp_path: Path, line: str, rule: str) -> None:
    before, row, after = read(tmp_path, "orders.jsonl", f'{{"a": 1}}\n{line}\n\r\n{{"a": 2}}\n')

    assert row.error is not None
    assert (row.number, row.error.rule, row.text) == (2, rule, line[:2000])
    assert (before.values, after.values, after.number) == ({"a": 1}, {"a": 2}, 3)


OBJECTS = [{"order_id": "1", "n": [1, 2]}, {"order_id": "2", "n": []}]


@pytest.mark.parametrize(
    ("text", "command"),
    [
        (json.dumps(OBJECTS), ".[]"),
        (json.dumps(OBJECTS, indent=2), ".[]"),
        ("[" + ",\n".join(map(json.dumps, OBJECTS)) + "]\n", ".[]"),
        ("\n".join(json.dumps(found, indent=2) for found in OBJECTS), "."),
        ('{"order_id": "1",\n "n": 1}\n{"order_id": "2",\n "n": 2}\n', "."),
    ],
)
def test_an_array_and_objects_over_several_lines_are_refused_with_the_command_that_helps(
    tmp_path: Path, text: str, command: str
) -> None:
    source = opened(tmp_path, "my orders.json", text.encode())

    with pytest.raises(UsageError) as caught:
        source.columns(frozenset({"order_id"}))

    assert f"`jq -c '{command}' 'my orders.json' > 'my orders.lines.jsonl'`" in caught.value.rule


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_names_the_encoding(tmp_path: Path, encoding: str) -> None:
    assert [row.values for row in read(tmp_path, "a.jsonl", '{"a": "é"}\r\n'.encode(encoding))] == [{"a": "é"}]


def test_an_encoding_can_be_asked_for(tmp_path: Path) -> None:
    (row,) = read(tmp_path, "a.jsonl", '{"a": "é"}'.encode("cp1252"), Reading(encoding="cp1252"))

    assert row.values == {"a": "é"}
