"""CSV files as they come: a wrong quote costs its own row, and what separates the values is recognised."""

import time
from pathlib import Path
from typing import Final

import pytest

from common.errors import UsageError
from infra.ingest import csv_file
from infra.ingest.csv_file import OPEN_QUOTE, QUOTES, SIZE, WIDTH
from infra.ingest.rows import Reading, Row
from tests.support.ingest_files import opened, read

HEADER: Final = "order_id,customer_id,order_date,total_amount,status,note\n"


def order(number: int, note: str = "mug") -> str:
    return f"m{number},ada,2026-03-01,1.00,completed,{note}\n"


def faults(rows: list[Row]) -> list[tuple[int, str]]:
    return [(row.number, row.error.rule) for row in rows if row.error is not None]


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        (['"oops', "", ""], [(1, f"{OPEN_QUOTE} (lines 2 to 4)")]),
        (
            ['"oops', '""quoted""', '"fine"', "", '"a"b', ""],
            [(1, f"{OPEN_QUOTE} (lines 2 to 4)"), (2, f"{QUOTES} (line 3)"), (5, f"{QUOTES} (line 6)")],
        ),
        (
            ["mug", r'"5\" disk, black"', r'"5\" disk, black"', "mug"],
            [(2, f"{QUOTES} (line 3)"), (3, f"{QUOTES} (line 4)")],
        ),
        (["mug", '"Best" mug', "mug"], [(2, f"{QUOTES} (line 3)")]),
        (["mug", "mug, blue", "mug"], [(2, WIDTH)]),
        (["mug", '"24 inch', "mug", "mug", 'stand 30"', "mug"], [(2, f"{OPEN_QUOTE} (lines 3 to 6)")]),
        (["mug", '"24 inch', "mug", 'stand, 30"', "mug"], [(2, f"{OPEN_QUOTE} (lines 3 to 5)"), (4, WIDTH)]),
        (["mug", '"24 inch', 'stand, 30"', "mug"], [(2, f"{OPEN_QUOTE} (lines 3 to 4)"), (3, WIDTH)]),
        (["mug", '"24 inch', 'blue, 30"x', "mug"], [(2, f"{OPEN_QUOTE} (lines 3 to 4)"), (3, WIDTH)]),
        (["mug", "mug", '"never closed'], [(3, f"{OPEN_QUOTE} (line 4)")]),
        (["mug", '"she said "hi" to\nBob\n"', "mug"], [(2, f"{QUOTES} (lines 3 to 5)")]),
        (["mug", '"she\nsaid "hi" to\nall of us"', "mug"], [(2, f"{QUOTES} (lines 3 to 5)")]),
        (["mug", '"one\ntwo",more', "mug"], [(2, WIDTH)]),
    ],
)  # fmt: skip
def test_a_wrong_quote_costs_its_own_row_and_no_other(tmp_path: Path, notes: list[str], expected: object) -> None:
    lines = [order(number, note) for number, note in enumerate(notes, 1)]

    rows = read(tmp_path, "orders.csv", HEADER + "".join(lines))

    assert faults(rows) == expected
    assert len(rows) == len(notes)
    for row, line in zip(rows, lines, strict=True):
        assert row.values.get("order_id", f"m{row.number}") == f"m{row.number}"
        assert row.error is None or row.text == line.rstrip("\n")


def test_a_row_with_a_wrong_quote_and_a_right_one_is_told_from_text(tmp_path: Path) -> None:
    lines = ['"m1,ada,2026-03-01,1.00,completed,mug\n', 'm2,"""bob,2026-03-01,7,completed,"blue, or green"\n']

    rows = read(tmp_path, "orders.csv", HEADER + "".join(lines) + order(3))

    assert [(row.number, row.error is None) for row in rows] == [(1, False), (2, False), (3, True)]


def test_a_value_in_quotes_may_hold_whole_rows_of_another_table(tmp_path: Path) -> None:
    note = '"see\na,b,c,d,e,f\n""x"", y\n\nbye, bye"'

    rows = read(tmp_path, "orders.csv", HEADER + order(1, note) + order(2))

    assert [row.values["note"] for row in rows] == ['see\na,b,c,d,e,f\n"x", y\n\nbye, bye', "mug"]


@pytest.mark.parametrize("period", [0, 50])
def test_lone_quotes_in_a_long_file_are_read_in_linear_time(tmp_path: Path, period: int) -> None:
    count = 200_000
    broken = {5} if period == 0 else set(range(period, count + 1, period))
    text = "".join(order(number, '"oops' if number in broken else "mug") for number in range(1, count + 1))
    started = time.process_time()

    rows = read(tmp_path, "orders.csv", HEADER + text)

    assert {number for number, _ in faults(rows)} == broken
    assert len(rows) == count
    assert time.process_time() - started < 30  # it is two seconds; what is quadratic takes many minutes


def test_a_quote_that_is_never_closed_loses_no_row_of_another_width(tmp_path: Path) -> None:
    rows = read(tmp_path, "orders.csv", HEADER + order(1, '"oops') + "x,y\n" * 50)

    assert [number for number, _ in faults(rows)] == list(range(1, 52))


def test_values_and_lines_that_are_too_long_cost_their_own_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "MAX_CELL", 1000)
    text = (
        HEADER
        + order(1, "x" * 1001)
        + order(2)
        + order(3, '"' + "text\n" * 300 + '"')
        + order(4)
        + order(5, "x" * 1000)
    )

    rows = read(tmp_path, "orders.csv", text)

    assert faults(rows) == [(1, f"{SIZE} (line 2)"), (3, f"{SIZE} (lines 4 to 304)")]
    assert [row.number for row in rows] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("header", "wanted", "names", "note"),
    [
        ("a,b;c", {"a"}, ("a", "b;c"), None),
        ("a;b,c", {"a"}, ("a", "b,c"), "semicolons"),
        ("a;b,c", set(), ("a;b", "c"), None),
        ("a\tb\tc", set(), ("a", "b", "c"), "tabs"),
        ("a|b,x", {"a"}, ("a", "b,x"), "vertical bars"),
        ('sep=;\r\n"a";b\r\n', {"a"}, ("a", "b"), "semicolons"),
        ("sep=,\na,b\n", {"a"}, ("a", "b"), None),
        ('sep="\n', set(), ('sep="',), None),
        ('\n\n"a\nb",c\n', set(), ("a\nb", "c"), None),
        ("a, b,Gift\u00a0message,note\u200b", {"a"}, ("a", " b", "Gift\u00a0message", "note\u200b"), None),
        ("x", {"a"}, ("x",), None),
    ],
)
def test_the_delimiter_is_recognised_from_the_header(
    tmp_path: Path, header: str, wanted: set[str], names: tuple[str, ...], note: str | None
) -> None:
    source = opened(tmp_path, "orders.csv", header.encode())

    assert source.columns(frozenset(wanted)) == names
    assert source.notes == ([] if note is None else [f"Read as values separated by {note}."])
    assert list(source.rows()) == []


def test_repeated_columns_are_read_under_numbered_names(tmp_path: Path) -> None:
    source = opened(tmp_path, "tickets.csv", b"key,Sprint,Sprint (2),Sprint,,Sprint,\n1,a,b,c,,d,\n")

    names = source.columns(frozenset({"key"}))

    assert names == ("key", "Sprint", "Sprint (2)", "Sprint (3)", "", "Sprint (4)", " (2)")
    assert source.repeated == {"Sprint", ""}
    assert [row.values["Sprint (4)"] for row in source.rows()] == ["d"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system_are_read(tmp_path: Path, end: str) -> None:
    text = (HEADER + order(1) + "\n" + order(2)).replace("\n", end)

    assert [row.values["note"] for row in read(tmp_path, "orders.csv", text)] == ["mug", "mug"]


@pytest.mark.parametrize(
    ("encoding", "asked"),
    [("utf-8-sig", None), ("utf-8-sig", "utf-8"), ("utf-16", None), ("utf-16-le", "utf-16-le"), ("cp1252", "cp1252")],
)
def test_the_encoding_is_what_the_first_bytes_name_or_what_is_asked_for(
    tmp_path: Path, encoding: str, asked: str | None
) -> None:
    content = f"näme,b\nJosé,{1}\n".encode(encoding)

    (row,) = read(tmp_path, "orders.csv", content, Reading(encoding=asked))

    assert row.values == {"näme": "José", "b": "1"}


def test_text_that_is_not_in_the_encoding_is_kept_so_that_it_is_rejected_only_where_it_is_used(tmp_path: Path) -> None:
    (row,) = read(tmp_path, "orders.csv", b"a,b\nJos\xe9,1\n")
    (wide,) = read(
        tmp_path, "orders.csv", b"\xff\xfe" + "a,b\n".encode("utf-16-le") + b"\x00\xd8," + b"\x001\x00\n\x00"
    )

    assert (row.values["a"], row.values["b"]) == ("Jos\udce9", "1")
    assert (wide.values["a"], wide.values["b"]) == ("\ud800", "1")


@pytest.mark.parametrize(
    ("content", "encoding", "named"),
    [
        ("größe;b\n".encode("cp1252"), None, "not valid in UTF-8; name the file's encoding, as --encoding cp1252"),
        ("order_id,b\n".encode("utf-16-le"), None, "UTF-16 without a byte order mark needs --encoding utf-16-le"),
        ("a,b\n".encode("utf-16"), "cp1252", "begins with a byte order mark of UTF-16; leave --encoding out"),
        (b'"order_id,b\n1,2\n', None, "this header cannot be read"),
        (b"\n\n", None, "begins with a header"),
        (b'[{"a": 1}]', None, "this is JSON, not CSV"),
    ],
)
def test_a_header_that_cannot_be_read_is_refused_for_the_true_reason(
    tmp_path: Path, content: bytes, encoding: str | None, named: str
) -> None:
    source = opened(tmp_path, "orders.csv", content, Reading(encoding=encoding))

    with pytest.raises(UsageError, match=named):
        source.columns(frozenset({"order_id"}))
