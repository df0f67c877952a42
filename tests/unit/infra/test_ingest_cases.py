"""What people bring, as `lambda360 import` answers it: the kinds of `cases` F1 to F15 that a file alone can show."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra import cli

HEADER = "order_id,customer_id,order_date,total_amount,status\n"

Import = Callable[..., dict[str, Any]]


@pytest.fixture
def imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Import:
    """Returns the JSON summary of a dry run, of a text with a file name or of a file that exists."""

    def run(content: str | Path, *options: str, kind: str = "order", name: str = "orders.csv") -> dict[str, Any]:
        path = content if isinstance(content, Path) else tmp_path / name
        if isinstance(content, str):
            path.write_text(content, encoding="utf-8", newline="")
        cli.run(["import", kind, str(path), "--dry-run", "--json", *options])
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    return run


def advised(summary: dict[str, Any]) -> list[str | None]:
    return [rule["advice"] for rule in summary["broken_rules"]]


def test_line_items_are_said_to_be_rows_of_the_same_orders(imported: Import, tmp_path: Path) -> None:
    rows = "".join(f"70000{order},ada,2026-03-0{order} 10:00,{amount},completed\n" for order, amount in LINES)

    summary = imported(HEADER + rows)

    assert (summary["valid"], summary["entities"]) == (4, 2)
    assert summary["clashing"] == {
        "rows": 3,
        "entities": 1,
        "example": [{"row": row, "entity_id": "700001"} for row in (1, 2, 3)],
    }


LINES = [(1, "10.00"), (1, "20.00"), (1, "5.00"), (2, "7.00")]


def test_a_file_of_line_items_can_be_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "lines.csv"
    rows = "".join(f"70000{order},ada,2026-03-0{order} 10:00,{amount},completed\n" for order, amount in LINES)
    path.write_text(HEADER + rows, encoding="utf-8")

    assert cli.run(["import", "order", str(path), "--dry-run", "--refuse-clashes"]) == 2

    assert "row 1 (700001), row 2 (700001), row 3 (700001)" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_said_of_rows_that_are_equal_or_have_versions_of_their_own(imported: Import) -> None:
    header = HEADER.replace("\n", ",updated_at\n")
    row = "o1,ada,2026-03-01,{},completed,2026-03-0{}\n"

    summary = imported(header + row.format("1.00", 1) + row.format("1.00", 1) + row.format("2.00", 2))

    assert (summary["clashing"]["rows"], summary["unchanging"]) == (0, 1)
    assert not summary["version_is_own_date"]


def test_an_older_row_that_comes_later_is_counted_as_changing_nothing(imported: Import) -> None:
    header = HEADER.replace("\n", ",updated_at\n")

    summary = imported(header + "o1,ada,2026-03-01,1,completed,2026-03-09\no1,ada,2026-03-01,2,completed,2026-03-08\n")

    assert (summary["clashing"]["rows"], summary["unchanging"]) == (0, 1)


def test_an_order_of_two_customers_is_named(imported: Import) -> None:
    summary = imported(HEADER + "W-1,old,2026-03-01,80,completed\nW-1,new,2026-03-02,80,completed\n")

    assert summary["moved"] == {
        "entities": 1,
        "example": [{"row": 1, "entity_id": "W-1"}, {"row": 2, "entity_id": "W-1"}],
    }


def test_a_file_without_versions_is_told_that_it_corrects_nothing(imported: Import) -> None:
    assert imported(HEADER + "o1,ada,2026-03-01,1,completed\n")["version_is_own_date"]
    assert not imported(HEADER + "o1,ada,2026-03-01,1,completed\n", "--set", "updated_at=2026-03-02")[
        "version_is_own_date"
    ]


@pytest.mark.parametrize(
    ("row", "field", "option"),
    [
        ("o1,ada,31/12/2025,1,completed", "order_date", "--date-format order_date:day-first"),
        ("o1,ada,1772357400,1,completed", "order_date", "--date-format order_date:epoch-seconds"),
        ("o1,ada,1772357400000,1,completed", "order_date", "--date-format order_date:epoch-milliseconds"),
        ("o1,ada,1 March 2026,1,completed", "order_date", "--date-format order_date:%d %B %Y"),
        ('o1,ada,"Apr 1, 2026 1:00:00 AM",1,completed', "order_date", "--date-format order_date:%b %d, %Y %I:%M:%S %p"),
        ("o1,ada,2026/03/01 10:00,1,completed", "order_date", "--date-format order_date:%Y/%m/%d %H:%M"),
        ("o1,ada,2026-03-01 ,1,completed", "order_date", "--trim"),
        ('o1,ada,2026-03-01,"1,50",completed', "total_amount", "--decimal-comma"),
        ("o1,ada,2026-03-01, 1 ,completed", "total_amount", "--trim"),
        ("o1,ada,2026-03-01,1,paid", "status", "--map-value status:paid=completed"),
        ("o1 ,ada,2026-03-01,1,completed", "order_id", "--trim"),
        ("o1,ada\u00a0,2026-03-01,1,completed", "customer_id", "--trim"),
        ("o1,917850.0,2026-03-01,1,completed", "customer_id", "--float-ids whole"),
    ],
)
def test_an_option_that_is_advised_mends_the_row(imported: Import, row: str, field: str, option: str) -> None:
    before = imported(HEADER + row + "\n")
    (rule,) = before["broken_rules"]
    name, _, value = option.partition(" ")

    assert (before["valid"], rule["field"]) == (0, field)
    assert name in f"{rule['advice']} {rule['rule']}"
    assert imported(HEADER + row + "\n", name, *([value] if value else []))["valid"] == 1


def test_words_of_a_field_that_has_few_are_counted_each(imported: Import) -> None:
    rows = "".join(f"o{n},ada,2026-03-01,1,{word}\n" for n, word in enumerate(["paid", "void", "paid"]))

    (rule,) = imported(HEADER + rows)["broken_rules"]

    assert (rule["count"], rule["words"]) == (3, {"paid": 2, "void": 1})


def test_a_date_that_stands_for_none_can_be_translated_to_none(imported: Import) -> None:
    header = "ticket_id,customer_id,created_date,resolved_date,category,priority\n"
    row = "t1,ada,2026-03-01,0000-00-00 00:00:00,bug,high\n"
    (advice,) = advised(imported(header + row, kind="ticket"))

    assert advice is not None
    assert "--map-value 'resolved_date:0000-00-00 00:00:00='" in advice
    option = "resolved_date:0000-00-00 00:00:00="
    assert imported(header + row, "--map-value", option, kind="ticket")["valid"] == 1


@pytest.mark.parametrize("name", ["a.csv", "b.jsonl", "c.parquet"])
def test_a_table_whose_ids_became_floats_is_one_customer_whatever_its_format(
    imported: Import, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    if name == "a.csv":
        path.write_text(HEADER + "f1,917850.0,2026-03-01,1,completed\nf2,,2026-03-01,1,completed\n", encoding="utf-8")
    elif name == "b.jsonl":
        rows = [("f1", "917850.0"), ("f2", "null")]
        line = '{{"order_id":"{}","customer_id":{},"order_date":"2026-03-01","total_amount":1,"status":"completed"}}\n'
        path.write_text("".join(line.format(*row) for row in rows), encoding="utf-8")
    else:
        columns = {"order_id": ["f1", "f2"], "customer_id": pa.array([917850.0, None], pa.float64())}
        same = {"order_date": ["2026-03-01"] * 2, "total_amount": ["1"] * 2, "status": ["completed"] * 2}
        pq.write_table(pa.table({**columns, **same}), path)

    assert imported(path)["valid"] == 0
    assert [rule["count"] for rule in imported(path)["broken_rules"]] == [1, 1]
    assert imported(path, "--float-ids", "whole")["valid"] == 1


def test_a_column_that_is_read_may_not_be_repeated_and_any_other_may(imported: Import, tmp_path: Path) -> None:
    header = HEADER.replace("\n", ",Sprint,Sprint,Sprint\n")
    row = "o1,ada,2026-03-01,1,completed,a,b,\n"

    assert imported(header + row)["valid"] == 1
    assert cli.run(["import", "order", str(tmp_path / "orders.csv"), "--dry-run", "--map", "status=Sprint"]) == 2


@pytest.mark.parametrize("option", [(), ("--trim",)])
def test_white_space_around_a_columns_name_is_shown_and_can_be_trimmed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: tuple[str, ...]
) -> None:
    path = tmp_path / "spaced.csv"
    path.write_text(HEADER.replace(",", ", ") + "p9, ada, 2026-06-20, 10.00, completed\n", encoding="utf-8")

    code = cli.run(["import", "order", str(path), "--dry-run", *option])

    assert code == (0 if option else 2)
    if not option:
        assert "the columns are: order_id, ' customer_id'" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_booleans_are_translated_alike_in_every_format(imported: Import, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"flag.{suffix}"
    rows = [("v1", True), ("v2", False)]
    same = {"customer_id": "ada", "order_date": "2026-03-01", "total_amount": "5"}
    tables = [{"order_id": order_id, **same, "cancelled": flag} for order_id, flag in rows]
    if suffix == "csv":
        lines = [",".join(str(value).lower() for value in table.values()) for table in tables]
        path.write_text("\n".join((",".join(tables[0]), *lines)), encoding="utf-8")
    elif suffix == "jsonl":
        path.write_text("".join(json.dumps(table) + "\n" for table in tables), encoding="utf-8")
    else:
        pq.write_table(pa.Table.from_pylist(tables), path)

    words = ("--map-value", "status:true=cancelled", "--map-value", "status:false=completed")
    assert imported(path, "--map", "status=cancelled", *words)["valid"] == 2


def test_the_summary_of_a_file_with_every_fault_fits_a_screen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "orders.csv"
    faults = [f"o{n},ada,2026-03-{n:02},{'x' * n},gone{n}\n" for n in range(1, 29)]
    faults += [f"o{n},{'' if n % 2 else ' ada'},31/12/2025,1,completed\n" for n in range(100)]
    good = ["g1,ada,2026-03-01,1,completed\n", "g1,ada,2026-03-01,2,completed\n", "g1,ben,2099-03-01,2,completed\n"]
    path.write_text(HEADER + "".join(faults + good), encoding="utf-8")

    assert cli.run(["import", "order", str(path), "--dry-run"]) == 3

    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("131 rows read, 3 valid (dry run: nothing was sent), 128 rejected, in ")
    assert len(printed) <= 24
    assert printed[-1].startswith("Next: ")
