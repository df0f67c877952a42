"""R5a: profiles enter from a file; a profile has no date of its own, so a version must be given."""

from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common.errors import UsageError
from common.log.entities import CustomerProfileData
from common.log.wire import CustomerProfileRecord
from infra import cli
from infra.ingest.mapping import mapping_of
from tests.support.imports import dry_run, records_of, rejected

HEADER = "customer_id,signed_up_date,birth_date,country,segment,updated_at\n"
GOOD = "ada,2023-01-15,1990-02-28,GB,retail,2024-06-05\n"
NO_DATE_OF_ITS_OWN = "a customer_profile has no date of its own that could be its version"


def csv_file(folder: Path, text: str) -> Path:
    path = folder / "people.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_r5a_a_row_is_the_customers_own_profile(tmp_path: Path) -> None:
    (record,) = records_of(csv_file(tmp_path, HEADER + GOOD), "profile")

    assert isinstance(record, CustomerProfileRecord)
    assert record.data == CustomerProfileData("ada", "2024-06-05", "2023-01-15", "1990-02-28", "GB", "retail")
    assert (record.subject, record.time, record.id) == ("ada", "2024-06-05", "customer_profile:ada:2024-06-05")


def test_the_short_name_of_the_command_line_means_the_same_kind(tmp_path: Path) -> None:
    path = csv_file(tmp_path, HEADER + GOOD)

    assert mapping_of("profile").kind == mapping_of("customer_profile").kind == "customer_profile"
    assert cli.run(["import", "profile", str(path), "--dry-run"]) == 0


def test_what_is_missing_in_a_row_is_not_known_of_the_customer(tmp_path: Path) -> None:
    (record,) = records_of(csv_file(tmp_path, HEADER + "ada,,,,,2024-06-05\n"), "profile")

    assert record.data == CustomerProfileData("ada", "2024-06-05")


def test_columns_are_mapped_and_values_translated_as_for_any_kind(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "id,land,changed\nada,UK,2024-06-05 12:00\n")
    options = {"maps": ["customer_id=id", "country=land", "updated_at=changed"], "map_values": ["country:UK=GB"]}

    (record,) = records_of(path, "profile", zone="Europe/Berlin", **options)

    assert record.data == CustomerProfileData("ada", "2024-06-05T10:00:00Z", country="GB")


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("ada,,1849-12-31,,,2024-06-05", "birth_date"),
        ("ada,,1990-02-28T00:00:00Z,,,2024-06-05", "birth_date"),
        ("ada,,,gb,,2024-06-05", "country"),
        (f"ada,,,,{'x' * 65},2024-06-05", "segment"),
        ("ada,1969-12-31,,,,2024-06-05", "signed_up_date"),
    ],
)
def test_a_bad_row_is_written_down_under_its_field_and_the_rest_goes_in(tmp_path: Path, line: str, field: str) -> None:
    summary = dry_run(csv_file(tmp_path, HEADER + line + "\n" + GOOD), "profile")

    (entry,) = rejected(summary)
    assert (summary.read, summary.sent, summary.rejected) == (2, 1, 1)
    assert (entry["row"], entry["field"], entry["column"]) == (1, field, field)


def test_r5a_a_file_without_a_version_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "customer_id,country\nada,GB\n")

    with pytest.raises(UsageError, match=rf"updated_at.*{NO_DATE_OF_ITS_OWN}.*--set updated_at=VALUE"):
        dry_run(path, "profile")

    assert list(tmp_path.iterdir()) == [path]


def test_r5a_a_row_without_a_version_is_rejected_with_the_same_reason(tmp_path: Path) -> None:
    summary = dry_run(csv_file(tmp_path, HEADER + GOOD + "bob,,,GB,,\n"), "profile")

    (entry,) = rejected(summary)
    assert summary.sent == 1
    assert (entry["row"], entry["field"], entry["column"]) == (2, "updated_at", "updated_at")
    assert NO_DATE_OF_ITS_OWN in entry["rule"]


def test_a_constant_version_serves_a_whole_file(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "customer_id,country\nada,GB\nbob,JP\n")

    records = records_of(path, "profile", sets=["updated_at=2024-06-05"])

    assert {record.time for record in records} == {"2024-06-05"}


def test_a_parquet_timestamp_at_midnight_without_a_zone_is_a_plain_date(tmp_path: Path) -> None:
    """pandas writes dates so; a time of day is more than a birth date says, and is refused."""
    born = [datetime(1951, 2, 28), datetime(1990, 2, 28, 7)]  # noqa: DTZ001 # naive is the case
    path = tmp_path / "people.parquet"
    columns = {"customer_id": ["ada", "bob"], "birth_date": pa.array(born, pa.timestamp("ns"))}
    pq.write_table(pa.table(columns), path)

    summary = dry_run(path, "profile", sets=["updated_at=2024-06-05"])

    (entry,) = rejected(summary)
    assert (summary.sent, entry["row"], entry["field"]) == (1, 2, "birth_date")
    assert "a plain date" in entry["rule"]
