"""One file of a day: whole or not at all, in order, and with the oracle's metrics in both formats."""

import csv
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from batch_layer.export import columns, file
from batch_layer.export.file import Format, write
from batch_layer.job import Job
from batch_layer.master import table as master
from common.algebra.metrics import METRIC
from common.algebra.pointer import Published
from common.errors import BatchError, UsageError
from common.settings import BatchSettings, Settings
from infra.proof.oracle import Oracle
from tests.support.builders import AS_OF, Log, order, random_log
from tests.support.exported import answer_of, oracle_row, published
from tests.support.jobs import without_servers
from tests.support.masters import commit

pytestmark = [pytest.mark.spark, pytest.mark.slow]
NAMES = {**METRIC, "country": None, "segment": None}


@pytest.fixture
def job(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A job with an empty master of 3 buckets that is read as a large one is, and no servers."""
    monkeypatch.setattr(master, "SMALL", 0)
    settings = Settings(home=tmp_path / "home", batch=BatchSettings(buckets=3))
    made = without_servers(spark, settings)
    master.ensure(made)
    return made


def told() -> Log:
    """A random log, and ids whose order is that of their bytes."""
    log = random_log(seed=41, count=400, customers=20)
    log.append(*(order(customer, "o1") for customer in ("zoë", "B", "a", "\uffee", "𝄞", 'a "quoted", one')))
    return log


def test_both_formats_hold_the_oracles_metrics_of_every_customer_in_order(job: Job, tmp_path: Path) -> None:
    """R6: and a repeated export is the same, to the byte."""
    log = told()
    batch = published(commit(job, log.records), AS_OF)
    oracle = Oracle(log.records, log.partitions)
    parquet, text = tmp_path / "day.parquet", tmp_path / "day.csv"

    assert write(job, batch, AS_OF, parquet, Format.PARQUET, force=False) == len(oracle.customers())
    assert write(job, batch, AS_OF, text, Format.CSV, force=False) == len(oracle.customers())

    rows = pq.read_table(parquet)
    assert rows.schema == columns.SCHEMA
    found = rows.to_pylist()
    in_order = sorted(oracle.customers(), key=lambda customer: customer.encode())
    assert [row["customer_id"] for row in found] == in_order
    for row in found:
        spelled = {
            name: value if value is None or isinstance(value, bool | int) else str(value) for name, value in row.items()
        }
        assert answer_of(spelled, NAMES) == oracle_row(oracle, row["customer_id"], AS_OF)
    with text.open(encoding="utf-8", newline="") as opened:
        lines = list(csv.DictReader(opened))
    assert [line["customer_id"] for line in lines] == in_order
    for line, row in zip(lines, found, strict=True):
        assert line == {name: as_text(value) for name, value in row.items()}
    before = text.read_bytes()
    write(job, batch, AS_OF, text, Format.CSV, force=True)
    assert text.read_bytes() == before


def as_text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_a_file_that_exists_is_refused_and_stays_unless_forced(job: Job, tmp_path: Path) -> None:
    batch = published(commit(job, told().records), AS_OF)
    path = tmp_path / "day.csv"
    path.write_text("mine")

    with pytest.raises(UsageError, match="--force replaces one"):
        write(job, batch, AS_OF, path, Format.CSV, force=False)
    assert path.read_text() == "mine"
    with pytest.raises(UsageError, match="a file in a folder that exists"):
        write(job, batch, AS_OF, tmp_path / "none" / "day.csv", Format.CSV, force=True)
    with pytest.raises(UsageError, match="a file in a folder that exists"):
        write(job, batch, AS_OF, tmp_path, Format.CSV, force=True)


def test_what_breaks_off_leaves_no_file_and_the_old_one_as_it_was(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the file appeared while the rows were written."""
    batch = published(commit(job, told().records), AS_OF)
    path = tmp_path / "day.parquet"
    sorted_rows = file._sorted_rows

    def broken(*of: Any) -> Any:
        yield from sorted_rows(*of)
        raise BatchError("Spark is gone")

    def meanwhile(*of: Any) -> Any:
        yield from sorted_rows(*of)
        path.write_text("theirs")

    monkeypatch.setattr(file, "_sorted_rows", broken)
    with pytest.raises(BatchError, match="Spark is gone"):
        write(job, batch, AS_OF, path, Format.PARQUET, force=False)
    assert [each.name for each in tmp_path.iterdir()] == ["home"]
    monkeypatch.setattr(file, "_sorted_rows", meanwhile)
    with pytest.raises(UsageError, match="--force replaces one"):
        write(job, batch, AS_OF, path, Format.PARQUET, force=False)
    assert path.read_text() == "theirs"


def test_a_disk_that_is_full_is_said_in_one_line(job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    batch: Published = published(commit(job, told().records), AS_OF)
    monkeypatch.setattr("batch_layer.export.file.os.fsync", full)

    with pytest.raises(BatchError, match=r"day.csv cannot be written: No space left on device"):
        write(job, batch, AS_OF, tmp_path / "day.csv", Format.CSV, force=False)
    assert [each.name for each in tmp_path.iterdir()] == ["home"]
