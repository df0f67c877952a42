"""What one task counts of the records' shapes, whatever the records are."""

import json
from collections import Counter

import pytest

from batch_layer.gate import tally as tallies
from batch_layer.gate.tally import EVERY, IMPORT, MOST_SOURCES, Entry, Tally, shapes_of
from common.log.shapes import FieldShape, Source
from tests.support.builders import Message, erasure, order, record, retraction


def tallied(*values: bytes | None) -> list[Entry]:
    tally = Tally()
    for offset, value in enumerate(values):
        tally.add(value, 0, offset)
    return tally.entries()


def fields(entries: list[Entry]) -> dict[tuple[str | None, str | None], int]:
    counts: Counter[tuple[str | None, str | None]] = Counter()
    for entry in entries:
        counts[entry.field, entry.type] += entry.records
    return dict(counts)


def with_data(text: str) -> bytes:
    return f'{{"type": "order.recorded", "source": "shop", "data": {text}}}'.encode()


def test_each_field_is_counted_by_its_json_type() -> None:
    found = tallied(
        with_data('{"a": "x", "b": 1, "c": 1.5, "d": true, "e": null, "f": {"g": 1}, "h": [1]}'),
        with_data('{"a": 1}'),
    )

    assert fields(found) == {
        (None, None): 2,
        ("a", "string"): 1,
        ("a", "number"): 1,
        ("b", "number"): 1,
        ("c", "number"): 1,
        ("d", "boolean"): 1,
        ("e", "null"): 1,
        ("f", "object"): 1,
        ("h", "array"): 1,
    }


def test_records_are_counted_by_source_and_kind_and_all_imports_are_one_source() -> None:
    files = [record("order.recorded", "ada", "2024-01-01", {"a": 1}, source=f"file:///{name}") for name in "ab"]
    producers = [record("refund.recorded", "ada", "2024-01-01", {"a": 1}, source=source) for source in ("shop", 5)]

    found = tallied(*(message.value for message in (*files, *producers)))

    totals = {(entry.kind, entry.source): entry.records for entry in found if entry.field is None}
    assert totals == {("order", IMPORT): 2, ("refund", "shop"): 1, ("refund", "?"): 1}


def test_the_example_is_the_first_position_also_if_it_comes_late() -> None:
    tally = Tally()
    for place in ((1, 5), (0, 9), (0, 8), (1, 1)):
        tally.add(with_data('{"a": 1}'), *place)

    assert {(entry.partition, entry.offset) for entry in tally.entries()} == {(0, 8)}


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"no json",
        b"[]",
        b'{"type": "order.recorded", "data": [1]}',
        b'{"type": "order.recorded"}',
        b'{"type": "weather.recorded", "data": {"a": 1}}',
        b'{"type": 5, "data": {"a": 1}}',
        b'{"type": "order.recorded", "data": {"a": "\xff"}}',
        b'{"type": "order.recorded", "data": {"a": "\\ud800"}}',
        b'{"type": "order.recorded", "data": {"a": 1e999}}',
        with_data("[" * 100_000 + "]" * 100_000),
        with_data('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}"),
        retraction(order()).value,
        erasure().value,
    ],
    ids=range(15),
)
def test_what_has_no_shape_is_left_out_and_breaks_nothing(value: bytes | None) -> None:
    assert tallied(value) == []


def test_a_rejected_record_has_a_shape_too_since_a_changed_type_is_why_it_was_rejected() -> None:
    good: Message = order()
    content = json.loads(good.value or b"")
    content["data"]["total_amount"] = 10
    found = tallied(good.value, json.dumps(content).encode())

    assert (fields(found)["total_amount", "string"], fields(found)["total_amount", "number"]) == (1, 1)


def sent(kind: str, source: str, offset: int, **data: object) -> Message:
    return record(f"{kind}.recorded", "ada", "2024-06-01", data, source=source)


def of_tasks(*tasks: list[Message]) -> dict[Source, FieldShape | None]:
    """The field `a` of each source, as several tasks counted it."""
    entries: list[Entry] = []
    for number, messages in enumerate(tasks):
        tally = Tally()
        for offset, message in enumerate(messages):
            tally.add(message.value, number, offset)
        entries.extend(tally.entries())
    return {found.source: found.shape.fields.get("a") for found in shapes_of(entries)}


def test_what_tasks_counted_adds_up_by_source() -> None:
    found = of_tasks([sent("order", "shop", 0, a=1), sent("order", "crm", 1, a=1)], [sent("order", "shop", 0, a="x")])

    assert found == {
        Source("order", "crm"): FieldShape(1, 1, {"number": 1}),
        Source("order", "shop"): FieldShape(2, 2, {"number": 1, "string": 1}),
    }


@pytest.mark.parametrize("tasks", [1, 2])
def test_a_kind_with_more_sources_than_can_be_told_apart_is_judged_as_one(tasks: int) -> None:
    def of(kind: str, sources: int) -> list[list[Message]]:
        messages = [sent(kind, f"s{number}", number, a=1) for number in range(sources)]
        return [messages[task::tasks] for task in range(tasks)]

    most = of_tasks(*(of("refund", MOST_SOURCES)))
    more = of_tasks(*(of("order", MOST_SOURCES + 1)))

    assert len(most) == MOST_SOURCES
    assert more == {
        Source("order", EVERY): FieldShape(MOST_SOURCES + 1, MOST_SOURCES + 1, {"number": MOST_SOURCES + 1})
    }


def test_one_crowded_task_makes_the_kind_one_source_for_all() -> None:
    crowd = [sent("order", f"s{number}", number, a=1) for number in range(MOST_SOURCES + 1)]

    assert set(of_tasks(crowd, [sent("order", "shop", 0, a=1)])) == {Source("order", EVERY)}


def test_keys_that_are_ids_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "_MOST_FORMS", 10)
    monkeypatch.setattr(tallies, "MOST_ENTRIES", 50)
    tally = Tally()
    for number in range(200):
        tally.add(sent("order", "shop", number, **{f"id{number}": 1}, a=1).value, 0, number)

    entries = tally.entries()

    assert len(entries) == 50
    assert fields(entries)[None, None] == fields(entries)["a", "number"] == 200
