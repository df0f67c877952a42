"""R5b: rows that take their entity back, by a column or for a whole file; and where a record came from."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common.algebra.facts import Fact, Outcome, decide
from common.algebra.payloads import Retracted
from common.errors import UsageError
from common.log.entities import RetractionData
from common.log.wire import RECORD_TYPES
from infra import cli
from infra.ingest.mapping import mapping_of
from tests.support.imports import dry_run, events_of, records_of, rejected

FULL = {"order_id": "o1", "customer_id": "ada", "order_date": "2024-01-01", "total_amount": "12.50"}
FULL |= {"status": "completed", "updated_at": "2024-01-02"}
IDS = {"order_id": "o1", "customer_id": "ada", "updated_at": "2024-01-03"}


def lines_file(folder: Path, *rows: dict[str, Any], name: str = "orders.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def csv_file(folder: Path, *lines: str) -> Path:
    path = folder / "orders.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def taken_back(path: Path, kind: str = "order", /, **options: Any) -> list[bool]:
    """Of each row whether it takes its entity back."""
    return [isinstance(record.data, RetractionData) for record in records_of(path, kind, **options)]


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        *((stated, True) for stated in (True, 1, "true", "1", "TRUE")),
        *((stated, False) for stated in (False, 0, "false", "0", "", None)),
    ],
)
def test_r5b_a_row_says_whether_its_entity_is_taken_back(tmp_path: Path, stated: object, expected: bool) -> None:
    assert taken_back(lines_file(tmp_path, FULL | {"retracted": stated})) == [expected]


@pytest.mark.parametrize("column", [pa.array([True, False, None]), pa.array([1, 0, None]), pa.array(["1", "0", ""])])
def test_r5b_parquet_has_booleans_numbers_or_words_for_it(tmp_path: Path, column: pa.Array) -> None:
    path = tmp_path / "orders.parquet"
    rows = {name: [value] * 3 for name, value in FULL.items()}
    pq.write_table(pa.table({**rows, "retracted": column}), path)

    assert taken_back(path) == [True, False, False]


@pytest.mark.parametrize("stated", ["yes", "deleted", 2, "t", " true", [True]])
def test_another_word_is_rejected_with_the_rule(tmp_path: Path, stated: object) -> None:
    summary = dry_run(lines_file(tmp_path, FULL | {"retracted": stated}, FULL), "order")

    (entry,) = rejected(summary)
    assert (summary.sent, entry["row"], entry["field"], entry["column"]) == (1, 1, "retracted", "retracted")
    assert entry["value"] == stated
    assert entry["rule"] == "true or false (or 1 or 0); --map-value translates other words"


def test_other_words_are_translated(tmp_path: Path) -> None:
    header = ",".join((*FULL, "state"))
    rows = [",".join((*FULL.values(), state)) for state in ("deleted", "", "open")]
    options = {"maps": ["retracted=state"], "map_values": ["retracted:deleted=true", "retracted:open="]}

    assert taken_back(csv_file(tmp_path, header, *rows), **options) == [True, False, False]


def test_a_boolean_column_is_translated_as_its_words_are(tmp_path: Path) -> None:
    """The source says `active`, the opposite."""
    path = lines_file(tmp_path, FULL | {"active": True}, FULL | {"active": False}, FULL | {"active": "false"})
    options = {"maps": ["retracted=active"], "map_values": ["retracted:true=false", "retracted:false=true"]}

    assert taken_back(path, **options) == [False, True, True]


def test_a_missing_value_is_translated_in_every_format(tmp_path: Path) -> None:
    path = lines_file(tmp_path, FULL | {"kept": "yes"}, FULL | {"kept": None}, FULL)
    options = {"maps": ["retracted=kept"], "map_values": ["retracted:yes=", "retracted:=true"]}

    assert taken_back(path, **options) == [False, True, True]


@pytest.mark.parametrize(
    ("option", "value"), [("sets", "retracted=gone"), ("map_values", "retracted:deleted=yes")], ids=["set", "map-value"]
)
def test_an_option_that_says_neither_true_nor_false_is_refused(option: str, value: str) -> None:
    with pytest.raises(UsageError, match=rf"{value}.*true or false"):
        mapping_of("order", **{option: [value]})  # type: ignore[arg-type] # the zone is not among them


@pytest.mark.parametrize(
    "entry", [each for each in RECORD_TYPES.values() if each.can_be_retracted], ids=lambda e: e.kind
)
def test_r5b_a_whole_file_of_any_kind_is_taken_back_by_its_ids_and_versions_alone(tmp_path: Path, entry: Any) -> None:
    row = {"customer_id": "ada", "updated_at": "2024-01-03"} | {entry.entity_id: "e1"} | {"customer_id": "ada"}

    (event,) = events_of(lines_file(tmp_path, row), entry.kind, sets=["retracted=true"])

    assert event.image is not None
    assert event.image.payload == Retracted(entry.kind)
    assert event.entity_id == row[entry.entity_id]


def test_what_else_a_row_of_such_a_file_says_is_not_read(tmp_path: Path) -> None:
    spoiled = FULL | {"order_date": "never", "total_amount": "-1", "status": "deleted"}

    (record,) = records_of(lines_file(tmp_path, spoiled), "order", sets=["retracted=true"])

    assert isinstance(record.data, RetractionData)
    assert record.time == record.data.updated_at == "2024-01-02"


@pytest.mark.parametrize("missing", ["order_id", "customer_id", "updated_at"])
def test_a_file_of_retractions_without_an_id_or_a_version_is_refused(tmp_path: Path, missing: str) -> None:
    row = {name: value for name, value in IDS.items() if name != missing}

    with pytest.raises(UsageError, match=rf"{missing}.*required.*the columns are"):
        dry_run(lines_file(tmp_path, row), "order", sets=["retracted=true"])


def test_the_refusal_says_that_what_is_taken_back_needs_a_version(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "refund_id,order_id,customer_id,refunded_at,amount,retracted", "r1,o1,ada,2024-01-02,5,1")

    with pytest.raises(UsageError, match=r"updated_at.*what is taken back needs a version"):
        dry_run(path, "refund")


def test_r5b_a_file_may_mix_entities_in_full_and_entities_taken_back(tmp_path: Path) -> None:
    back, whole, neither = {**IDS, "retracted": True}, FULL, IDS
    unversioned = {"order_id": "o2", "customer_id": "ada", "retracted": "1"}

    summary = dry_run(lines_file(tmp_path, whole, back, neither, unversioned), "order")

    assert (summary.read, summary.sent, summary.retracted, summary.rejected) == (4, 2, 1, 2)
    first, second = rejected(summary)
    assert (first["row"], first["field"], first["rule"]) == (3, "order_date", "required, and missing")
    assert (second["row"], second["field"]) == (4, "updated_at")
    assert "what is taken back needs a version" in second["rule"]


def test_a_mixed_file_keeps_the_default_version_of_the_rows_in_full(tmp_path: Path) -> None:
    unversioned = {name: value for name, value in FULL.items() if name != "updated_at"}

    whole, back = events_of(lines_file(tmp_path, unversioned, {**IDS, "retracted": True}), "order")

    assert whole.image is not None
    assert back.image is not None
    assert whole.image.version < back.image.version


def test_the_report_says_how_many_rows_take_their_entity_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lines_file(tmp_path, FULL, {**IDS, "retracted": True})

    assert cli.run(["import", "order", str(path), "--dry-run"]) == 0

    told = capsys.readouterr().out
    assert "2 rows read, 2 valid (dry run: nothing was sent), 0 rejected" in told
    assert "1 row takes its entity back" in told


def test_a_retraction_has_an_id_of_its_own_that_is_the_same_at_each_import(tmp_path: Path) -> None:
    """Beside the entity of the same version in full."""
    path = lines_file(tmp_path, FULL, {**IDS, "updated_at": "2024-01-02", "retracted": True})

    first, again = ([record.id for record in records_of(path, "order")] for _ in range(2))

    assert first == again == ["order:o1:2024-01-02", "order:o1:2024-01-02:retracted"]


def test_each_record_names_its_file_and_its_row(tmp_path: Path) -> None:
    """Rows are counted as in the file of rejects: the first data row is 1, and blank lines are none."""
    folder = tmp_path / "küste 1"
    folder.mkdir()
    path = csv_file(folder, ",".join(FULL), ",".join(FULL.values()), "", "broken", ",".join(FULL.values()))

    records = records_of(path, "order")

    assert [(record.source, record.sourcerow) for record in records] == [(path.as_uri(), 1), (path.as_uri(), 3)]
    assert path.as_uri().startswith("file:///")


def test_the_name_of_a_file_that_is_too_long_for_a_record_keeps_its_end(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["x" * 200] * 4)
    folder.mkdir(parents=True)

    (record,) = records_of(lines_file(folder, FULL), "order")

    assert len(record.source) == 512
    assert record.source.endswith("/orders.jsonl")


@pytest.mark.parametrize("row", [FULL, {**IDS, "retracted": True}], ids=["in full", "taken back"])
def test_r9_the_same_row_in_another_file_is_a_repeat_of_another_origin(tmp_path: Path, row: dict[str, Any]) -> None:
    (first,) = events_of(lines_file(tmp_path, row), "order")
    _, second = events_of(lines_file(tmp_path, {**row, "order_id": "o9"}, row, name="again.jsonl"), "order")

    assert first.image == second.image
    assert (first.origin.row, second.origin.row) == (1, 2)
    assert first.origin.source != second.origin.source
    assert first.image is not None
    assert second.image is not None
    assert decide(Fact(7, None, first.image), second.image, 8) == (Outcome.REPEATED, None)
