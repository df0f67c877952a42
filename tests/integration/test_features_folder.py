"""The folder of features for tools that read no Iceberg: a file for each batch, as the table is now, and no other."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from batch_layer.erasure import warehouse as erased
from batch_layer.erasure.found import erasures
from batch_layer.erasure.warehouse import Exported
from batch_layer.export import features
from batch_layer.export.folder import sync
from batch_layer.job import Job
from batch_layer.master import table as master
from common.algebra.dates import datetime_of
from common.errors import BatchError, UsageError
from common.settings import BatchSettings, Settings
from tests.support.builders import Log, erasure, order
from tests.support.features import export_features, feature_rows
from tests.support.jobs import without_servers
from tests.support.masters import commit
from tests.support.residue import search

pytestmark = [pytest.mark.spark, pytest.mark.slow]


@pytest.fixture(scope="module")
def job_of(spark: SparkSession) -> Callable[[Path], Job]:
    """Makes a job with an empty master of one bucket, and no servers."""

    def made(home: Path) -> Job:
        settings = Settings(home=home, batch=BatchSettings(buckets=1))
        job = without_servers(spark, settings)
        master.ensure(job)
        return job

    return made


def test_the_folder_follows_the_table_and_only_what_changed_is_written(
    job_of: Callable[[Path], Job], tmp_path: Path
) -> None:
    """R24: two batches, a repeated call, what a killed call left, an erasure, and a file of somebody else's."""
    job, folder = job_of(tmp_path / "home"), tmp_path / "features"
    with pytest.raises(BatchError, match="there are no features yet"):
        sync(job, folder)
    log = Log()
    log.append(order("zq-gone", "o1"), order("kept", "o1"))
    export_features(job, commit(job, log.records), 1)
    first = sync(job, folder)
    assert (first.batches, first.written, first.removed) == (1, 1, 0)
    assert first.known_at == datetime_of(log.records[-1].appended_at)
    late = log.append(order("zq-gone", "o2"), order("new", "o1"))
    export_features(job, commit(job, late), 2)
    (folder / "features-0000000009.parquet").write_bytes(b"of a batch that is gone")
    (folder / ".features-0000000002.parquet.77.partial").write_bytes(b"of a call that was killed")
    (folder / "notes.txt").write_text("of somebody else")
    before = (folder / "features-0000000001.parquet").stat().st_mtime_ns

    second = sync(job, folder)

    assert (second.batches, second.written, second.removed) == (2, 1, 1)
    assert (folder / "features-0000000001.parquet").stat().st_mtime_ns == before
    assert sorted(each.name for each in folder.iterdir()) == [
        *("features-0000000001.parquet", "features-0000000002.parquet"),
        "notes.txt",
    ]
    again = sync(job, folder)
    assert (again.written, again.removed) == (0, 0)
    assert rows_in(folder) == table_rows(job)
    assert {pq.read_schema(path).remove_metadata() for path in folder.glob("*.parquet")} == {features.SCHEMA}
    gone = log.append(erasure("zq-gone"))
    head = commit(job, gone)
    erased.remove(job, erasures(master.at_snapshot(job, head.snapshot)), Exported.FEATURES)
    assert search([folder], ["zq-gone"])["zq-gone"]

    cleaned = sync(job, folder)

    assert (cleaned.batches, cleaned.written) == (2, 2)
    assert search([folder], ["zq-gone"]) == {"zq-gone": set()}
    assert rows_in(folder) == table_rows(job) != []
    head = commit(job, log.append(erasure("kept"), erasure("new")))
    erased.remove(job, erasures(master.at_snapshot(job, head.snapshot)), Exported.FEATURES)
    with pytest.raises(BatchError, match="the features hold no row"):
        sync(job, folder)
    assert rows_in(folder) == []
    with locked(folder), pytest.raises(BatchError, match="another export is writing"):
        sync(job, folder)


def test_what_is_no_folder_is_refused_by_name(job_of: Callable[[Path], Job], tmp_path: Path) -> None:
    job = job_of(tmp_path / "home")
    file = tmp_path / "file"
    file.touch()

    for path in (file, tmp_path / "no" / "folder"):
        with pytest.raises(UsageError, match="--features"):
            sync(job, path)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """As while another process writes the folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    flock(descriptor, LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


def rows_in(folder: Path) -> list[tuple[int, str, object]]:
    rows = [row for path in folder.glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    return sorted((row["batch_id"], row["customer_id"], row["total_revenue_cents"]) for row in rows)


def table_rows(job: Job) -> list[tuple[int, str, object]]:
    return sorted((*key, row.features["total_revenue_cents"]) for key, row in feature_rows(job).items())
