"""R15 and R24 in Iceberg, without servers: what an erasure takes out of the master, and what it must not disturb."""

from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as with_values
from pyspark.sql import SparkSession

from batch_layer import lake
from batch_layer.erasure import iceberg, quarantine
from batch_layer.erasure import master as erased_master
from batch_layer.erasure.found import erasures, forgotten
from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.master.table import Conflict, Head
from batch_layer.master.validate import validated
from batch_layer.session import CATALOG
from common.algebra.cut import Cut
from common.errors import BatchError
from common.log.normalizing import Rules
from common.log.partition import partition_of
from common.settings import BatchSettings, Settings
from tests.support.builders import Log, Message, erasure, order, ticket
from tests.support.jobs import without_servers
from tests.support.residue import search

pytestmark = [pytest.mark.spark, pytest.mark.slow]
PARTITIONS = 4
ADA = partition_of("ada", PARTITIONS)
SECRETS = ("zq-secret", "zq-poison", "zq-misplaced")


@pytest.fixture
def job(spark: SparkSession, tmp_path: Path) -> Job:
    """A job on a warehouse of its own, whose session is never asked."""
    settings = Settings(home=tmp_path, batch=BatchSettings(buckets=3))
    return without_servers(spark, settings)


def archive(job: Job, log: Log, records: int, archive_id: int) -> Head:
    """The first `records` records of the log are in the master, those that are new under `archive_id`."""
    master.ensure(job)
    before = master.head(job)
    added = [
        (each.partition, each.offset, each.appended_at, each.key, each.value, archive_id)
        for each in log.records[:records]
        if before is None or each.offset >= before.offsets[each.partition]
    ]
    columns = ", ".join(f"{name} {kind}" for name, kind in {**master.RAW, "archive_id": "bigint"}.items())
    rows = validated(job.spark.createDataFrame(added, columns), PARTITIONS, Rules("USD"))
    ends = {p: max((r.offset + 1 for r in log.records[:records] if r.partition == p), default=0) for p in range(4)}
    head = Head(0, archive_id, Cut.of(ends), "topic", "rules")
    planned_from = None if before is None else before.snapshot
    master.replace(job, rows, planned_from=planned_from, head_after=head, replaced=master.added_by(archive_id))
    found = master.head(job)
    assert found is not None
    return found


def told() -> Log:
    """Entities of ada's and bob's, rejected records, one of them in another partition, two erasures, and more."""
    log = Log(PARTITIONS)
    misplaced: Message = order("ada", "zq-misplaced")._replace(partition=(ADA + 1) % PARTITIONS)
    log.append(order("ada", "zq-secret-1"), order("bob", "b1"), order("ada", "zq-poison", total_amount="-1"), misplaced)
    log.append(erasure("ada"), ticket("ada", "zq-secret-2"))
    log.append(order("bob", "b2"), erasure("ada"), order("ada", "after"), misplaced._replace(key=b"bob"))
    return log


def keys(job: Job) -> list[tuple[str | None, str | None]]:
    rows = job.spark.table(master.table(job.settings)).select("customer_id", "entity_id").collect()
    return sorted((tuple(row) for row in rows), key=str)


def test_r24_the_master_and_its_history_lose_what_came_before_the_last_erasure(job: Job, tmp_path: Path) -> None:
    """R15, R24: each record of others stays once, and the head is carried; no file holds the erased records."""
    log = told()
    archive(job, log, 3, archive_id=1)
    first = master.head(job)
    table = lake.load(job, master.table(job.settings))
    table.manageSnapshots().createTag("batch-1", table.currentSnapshot().snapshotId()).commit()
    before = archive(job, log, len(log.records) - 1, archive_id=2)
    assert all(search([tmp_path], [secret])[secret] for secret in SECRETS), "the search finds what is there"
    found = erasures(master.at_snapshot(job, before.snapshot))

    rows = erased_master.rows_removed(job, found)
    tags = iceberg.tag_current(job, master.table(job.settings))
    iceberg.forget_history(job, master.table(job.settings))

    assert [(each.customer_id, each.appended_at) for each in found] == [("ada", log.records[7].appended_at)]
    assert rows == 5
    after = master.head(job)
    assert after is not None
    assert with_values(after, snapshot=0) == with_values(before, snapshot=0)
    assert keys(job) == [("ada", "ada"), ("ada", "after"), ("bob", "b1"), ("bob", "b2")]
    assert search([tmp_path], SECRETS) == {secret: set() for secret in SECRETS}
    assert tags == ["batch-1"]
    assert job.spark.sql(f"SELECT * FROM {master.table(job.settings)} VERSION AS OF 'batch-1'").count() == 4
    assert first is not None
    with pytest.raises(BatchError):  # an archiver that planned from a snapshot that is gone
        commit_nothing(job, planned_from=first, head_after=with_values(after, archive_id=3))
    assert master.head(job) == after
    archive(job, log, len(log.records), archive_id=3)
    assert erased_master.rows_removed(job, found) == 0


def commit_nothing(job: Job, *, planned_from: Head, head_after: Head) -> None:
    none = job.spark.table(master.table(job.settings)).limit(0)
    added = master.added_by(head_after.archive_id)
    master.replace(job, none, planned_from=planned_from.snapshot, head_after=head_after, replaced=added)


def test_r15_an_erasure_that_loses_to_another_commit_changes_nothing(job: Job) -> None:
    log = told()
    planned = archive(job, log, 8, archive_id=1)
    held = master.at_snapshot(job, planned.snapshot)
    positions = forgotten(job, held, erasures(held))
    later = archive(job, log, len(log.records), archive_id=2)

    with pytest.raises(Conflict):
        iceberg.delete(job, master.table(job.settings), positions, planned.snapshot)

    assert master.head(job) == later
    assert len(keys(job)) == len(log.records)
    assert erased_master.rows_removed(job, erasures(held)) == 5


def test_r24_a_master_of_an_older_release_loses_the_bounds_in_its_manifests(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R24: bounds of customers' values, which stood in manifests, are found before and nowhere afterwards."""
    log = told()
    monkeypatch.setattr(master, "_TABLE_PROPERTIES", {"write.metadata.metrics.default": "full"})
    before = archive(job, log, 8, archive_id=1)
    monkeypatch.undo()
    avro = [file for file in search([tmp_path], ["zq-secret"])["zq-secret"] if file.endswith(".avro")]
    assert avro, "manifests hold bounds"
    master.ensure(job)

    rows = erased_master.rows_removed(job, erasures(master.at_snapshot(job, before.snapshot)))
    iceberg.forget_history(job, master.table(job.settings))

    assert rows == 5
    assert search([tmp_path], SECRETS) == {secret: set() for secret in SECRETS}
    assert not [file for file in search([tmp_path], ["bob"])["bob"] if file.endswith(".avro")]


def test_r24_the_quarantine_loses_its_copies_and_its_absence_is_no_error(job: Job, tmp_path: Path) -> None:
    log = told()
    head = archive(job, log, 8, archive_id=1)
    found = erasures(master.at_snapshot(job, head.snapshot))
    assert quarantine.remove(job, found) is None
    name = f"{CATALOG}.{job.settings.cassandra.keyspace}.quarantine"
    events = master.at_snapshot(job, head.snapshot)
    columns = ("kafka_partition", "kafka_offset", "appended_at", "customer_id", "kind", "entity_id", "key", "value")
    events.selectExpr("1L AS batch_id", "'rule' AS rule", *columns).writeTo(name).using("iceberg").create()

    removed = quarantine.remove(job, found)

    assert removed is not None
    assert removed.rows == 5
    assert job.spark.table(name).count() == events.count() - 5
    in_quarantine = [f for files in search([tmp_path], SECRETS).values() for f in files if "/quarantine/" in f]
    assert in_quarantine == []
    again = quarantine.remove(job, found)
    assert again is not None
    assert replace(again, snapshots=0, files=0).rows == 0
