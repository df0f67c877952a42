"""Files become rows, and rows records, whatever the format; a bad row never stops the rest."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common.errors import UsageError
from common.log.normalizing import Rules
from common.settings import Settings
from infra import cli
from infra.ingest.field_mapping import Habits
from infra.ingest.importer import Options, run
from infra.ingest.mapping import mapping_of
from infra.ingest.opening import open_source
from infra.ingest.records import RecordMaker
from infra.ingest.rows import Row
from tests.support.imports import dry_run, rejected

HEADER = "order_id,customer_id,order_date,total_amount,status\n"
GOOD = "o1,ada,2024-01-01,12.50,completed\n"


@pytest.fixture
def csv(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "orders.csv"
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        return path

    return write


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("o2,,2024-01-01,12.50,completed", "customer_id", ""),
        (f"o2,{'x' * 300},2024-01-01,12.50,completed", "customer_id", "x" * 300),
        (f"{'x' * 600},ada,2024-01-01,12.50,completed", "order_id", "x" * 600),
        ("o2,a\0b,2024-01-01,12.50,completed", "customer_id", "a\0b"),
        ("o2,a/b,2024-01-01,12.50,completed", "customer_id", "a/b"),
        ("o2,a\udcffb,2024-01-01,12.50,completed", "customer_id", "a\udcffb"),
        ("o2,ada,1.2.2024,12.50,completed", "order_date", "1.2.2024"),
        ("o2,ada,1969-12-31,12.50,completed", "order_date", "1969-12-31"),
        ("o2,ada,2024-01-01,-1,completed", "total_amount", "-1"),
        ("o2,ada,2024-01-01,12.345,completed", "total_amount", "12.345"),
        ("o2,ada,2024-01-01,12.50,Done", "status", "Done"),
        ("o2,ada,2024-01-01,12.50", "row", ["o2", "ada", "2024-01-01", "12.50"]),
        ('o2,"a"da,2024-01-01,12.50,completed', "row", 'o2,"a"da,2024-01-01,12.50,completed'),
    ],
)
def test_a_bad_row_is_written_down_and_the_rest_goes_in(
    csv: Callable[[str], Path], line: str, field: str, value: object
) -> None:
    summary = dry_run(csv(HEADER + GOOD + line + "\n\n" + GOOD))
    (entry,) = rejected(summary)
    assert (summary.read, summary.sent, summary.rejected) == (3, 2, 1)
    assert (entry["row"], entry["field"], entry["value"]) == (2, field, value)
    assert entry["rule"]


def test_another_currency_is_rejected_under_its_field_and_column(csv: Callable[[str], Path]) -> None:
    (entry,) = rejected(dry_run(csv("Währung," + HEADER + "EUR," + GOOD), maps=["currency=Währung"]))
    assert (entry["field"], entry["column"], entry["value"]) == ("currency", "Währung", "EUR")
    assert entry["input"]["order_id"] == "o1"


def test_the_rejects_of_an_earlier_run_are_replaced_and_removed_when_there_are_none(csv: Callable[[str], Path]) -> None:
    bad = "o2,ada,never,12.50,completed\n"
    first = dry_run(csv(HEADER + bad + bad))
    assert len(rejected(first)) == 2
    assert len(rejected(dry_run(csv(HEADER + bad)))) == 1
    assert dry_run(csv(HEADER + GOOD)).rejected == 0
    assert [path.name for path in first.rejects.parent.iterdir()] == ["orders.csv"]


def test_a_missing_version_is_the_entitys_own_date_and_an_empty_value_can_be_translated(tmp_path: Path) -> None:
    mapping = mapping_of("order", map_values=["status:=completed"])
    values = {"order_id": 1, "customer_id": "ada", "order_date": "2024-01-01", "total_amount": Decimal("12.5")}
    first, again = (
        RecordMaker(mapping, 4, Rules("USD"), "file:///orders.csv").record(Row(1, values), now) for now in (0, 10**15)
    )
    data = json.loads(first.value)["data"]
    assert (data["updated_at"], data["status"], data["total_amount"]) == ("2024-01-01", "completed", "12.5")
    assert (first.key, first.value) == (b"ada", again.value)
    assert (first.event.future_dated, again.event.future_dated) == (True, True)


def test_json_lines_keep_numbers_as_written_and_a_broken_line_is_one_bad_row(tmp_path: Path) -> None:
    path = tmp_path / "tickets.jsonl"
    good = {
        "ticket_id": 7,
        "customer_id": "ada",
        "created_date": "2024-01-01T10:00:00",
        "category": "x",
        "priority": "low",
    }
    lines = [json.dumps(good), '{"ticket_id": ', "[1]", json.dumps({**good, "resolved_date": "2023-01-01"}), ""]
    path.write_bytes("\n".join(lines).encode() + b'\n{"ticket_id": "\xff"}\n')
    summary = dry_run(path, "ticket")
    assert (summary.read, summary.sent) == (5, 1)
    assert [(entry["row"], entry["field"]) for entry in rejected(summary)] == [
        (2, "row"), (3, "row"), (4, "resolved_date"), (5, "ticket_id"),
    ]  # fmt: skip


def test_parquet_floats_decimals_and_times_become_exact_texts(tmp_path: Path) -> None:
    path = tmp_path / "orders.parquet"
    table = pa.table(
        {
            "order_id": pa.array([1.0, 2.0, 3.0, 4.0], pa.float64()),
            "customer_id": pa.array([1, 2, 3, 4], pa.int64()),
            "order_date": pa.array([datetime(2024, 7, 1, 12, 0, 0, 500)] * 4, pa.timestamp("ns")),  # noqa: DTZ001
            "total_amount": pa.array([12.1, 12.345, float("nan"), 100.0], pa.float32()),
            "updated_at": pa.array([datetime(2024, 7, 1, tzinfo=UTC)] * 4, pa.timestamp("ms", "Asia/Tokyo")),
            "day": pa.array([date(2024, 1, 1)] * 4),
            "status": pa.array(["completed"] * 4).dictionary_encode(),
        }
    )
    pq.write_table(table, path)
    rows = list(open_source(path, None).rows())
    assert rows[0].values == {
        "order_id": Decimal(1), "customer_id": 1, "order_date": datetime(2024, 7, 1, 12, 0, 0, 500),  # noqa: DTZ001
        "total_amount": Decimal("12.1"), "updated_at": datetime(2024, 7, 1, tzinfo=UTC), "day": date(2024, 1, 1),
        "status": "completed",
    }  # fmt: skip
    summary = dry_run(path, habits=Habits(float_ids="whole"))
    assert summary.sent == 2
    assert [(entry["row"], entry["field"], entry["value"]) for entry in rejected(summary)] == [
        (2, "total_amount", "12.345"), (3, "total_amount", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("orders.csv", b"", "the file is empty"),
        ("orders.csv", b"PAR1....", "this is a Parquet file"),
        ("orders.parquet", b"order_id\n", "this is no Parquet file"),
        ("orders.parquet", b"PAR1 and no more", "a Parquet file"),
        ("orders.jsonl", b"order_id\n1\n", "no line here is one"),
        ("orders.jsonl", b'{"id": 1}\n', "order_id.*required.*the columns are: id"),
        ("orders.xlsx", b"PK", "--format csv | jsonl | parquet"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_as_a_whole(
    tmp_path: Path, name: str, content: bytes, named: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UsageError, match=named):
        dry_run(path)
    assert [found.name for found in tmp_path.iterdir()] == [name]


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.csv.*there is no such file"):
        dry_run(tmp_path / "nowhere.csv")
    with pytest.raises(UsageError, match="a folder"):
        dry_run(tmp_path)


def test_rejects_that_could_not_be_written_are_refused_before_anything_is_sent(csv: Callable[[str], Path]) -> None:
    path = csv(HEADER + GOOD)
    for target in (path, path / "x", path.parent):
        with pytest.raises(UsageError, match="--rejects"):
            run(Settings(), path, mapping_of("order"), Options(rejects=target, dry_run=True), clock=lambda: 0)


def test_exit_codes_tell_rejected_rows_and_wrong_usage_apart(
    csv: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(csv(HEADER + GOOD))
    assert cli.run(["import", "order", path, "--dry-run"]) == 0
    assert "1 valid (dry run: nothing was sent)" in capsys.readouterr().out
    assert cli.run(["import", "order", path, "--dry-run", "--set", "currency=EUR"]) == 3
    assert f"{path}.rejected.jsonl" in capsys.readouterr().out
    assert cli.run(["import", "order", path, "--dry-run", "--map", "order_id=nr"]) == 2
    assert "--map: 'order_id=nr': 'nr' is no column of the file; the columns are:" in capsys.readouterr().err
