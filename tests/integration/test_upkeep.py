"""R15, R16, R24 in Iceberg, without servers: what upkeep does to each table, and what it must not disturb."""

from collections.abc import Sequence
from datetime import date
from functools import reduce
from pathlib import Path

import pytest
from msgspec.structs import replace
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import IntegerType, LongType, StringType, StructField

from batch_layer import lake
from batch_layer.erasure import iceberg
from batch_layer.export import features, warehouse
from batch_layer.export.tables import KEPT_SNAPSHOTS
from batch_layer.gate import quarantine, scores, store
from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.master.table import Conflict, Head
from batch_layer.upkeep import Upkeep, keep_up
from batch_layer.view import publish
from batch_layer.view.recompute import recomputed
from common.algebra.dates import MICROS_PER_DAY
from common.algebra.pointer import Claim, Plan, Pointer, Published
from common.errors import BatchError
from common.settings import BatchSettings, Settings
from tests.support.builders import random_log
from tests.support.jobs import without_servers
from tests.support.masters import commit

pytestmark = [pytest.mark.spark, pytest.mark.slow]
APPENDS = 6
ROWS = 60
PARTS = 3
"""Two buckets, and one of the rejected records, which have no customer."""


@pytest.fixture
def pointer(monkeypatch: pytest.MonkeyPatch) -> list[Pointer]:
    """What the pointer says, as a list of one."""
    held = [Pointer()]
    monkeypatch.setattr(publish, "read", lambda session: held[0])
    return held


@pytest.fixture
def job(spark: SparkSession, tmp_path: Path) -> Job:
    """A job on a warehouse of its own, whose session is never asked."""
    settings = Settings(home=tmp_path, batch=BatchSettings(buckets=2, keep_days=10))
    made = without_servers(spark, settings)
    master.ensure(made)
    return made


def states(job: Job, head: Head) -> dict[str, str]:
    return {row["customer_id"]: row["state"] for row in recomputed(job, head.snapshot, head.offsets).collect()}


def rows(job: Job, snapshot: int) -> list[tuple[object, ...]]:
    found = master.at_snapshot(job, snapshot).select("kafka_partition", "kafka_offset", "value").collect()
    return sorted(tuple(row) for row in found)


def appended(job: Job) -> list[Head]:
    log = random_log(seed=8, count=APPENDS * 40, customers=12)
    return [commit(job, log.records[start : start + 40]) for start in range(0, APPENDS * 40, 40)]


def newest(job: Job) -> Head:
    head = master.head(job)
    assert head is not None
    return head


def published(batch_id: int, head: Head) -> Published:
    plan = Plan(head.snapshot, head.offsets, "logic", head.validation_version)
    return Published(batch_id, "abc"[batch_id % 3], plan, 0, 1, "")


def test_small_files_become_few_and_the_records_the_head_and_every_state_stay(job: Job, pointer: list[Pointer]) -> None:
    before = appended(job)[-1]
    expected, held = states(job, before), rows(job, before.snapshot)

    [done] = keep_up(job)

    after = newest(job)
    assert (done.compacted, done.into) == (PARTS * APPENDS, PARTS)
    assert after.snapshot != before.snapshot
    assert replace(after, snapshot=before.snapshot) == before
    assert [len(files) for files in master.files_of(job, after.snapshot)] == [1] * PARTS
    assert states(job, after) == expected
    assert rows(job, after.snapshot) == held
    [again] = keep_up(job)
    assert (again.compacted, again.snapshots, newest(job)) == (0, 0, after)


def test_archiving_goes_on_behind_it_and_a_commit_that_was_planned_before_appends_nothing(
    job: Job, pointer: list[Pointer]
) -> None:
    planned = appended(job)[-1]
    keep_up(job)
    log = random_log(seed=8, count=APPENDS * 40 + 30, customers=12)
    later = commit(job, log.records[APPENDS * 40 :])
    assert later.archive_id == planned.archive_id + 1
    held = rows(job, later.snapshot)
    assert len({row[:2] for row in held}) == len(held) == APPENDS * 40 + 30

    late = master.at_snapshot(job, later.snapshot).limit(3)
    with pytest.raises(Conflict):
        master.replace(
            job, late, planned_from=planned.snapshot, head_after=planned, replaced=master.added_by(later.archive_id)
        )
    assert newest(job) == later


def test_a_commit_that_comes_in_between_makes_it_give_way(
    job: Job, pointer: list[Pointer], monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = appended(job)[-1]
    log = random_log(seed=8, count=APPENDS * 40 + 30, customers=12)
    later = commit(job, log.records[APPENDS * 40 :])
    monkeypatch.setattr(master, "head", lambda job: planned)

    with pytest.raises(BatchError, match=r"another run changed lake\.\w+\.events meanwhile"):
        keep_up(job)

    monkeypatch.undo()
    assert newest(job) == later


def test_snapshots_that_are_named_stay_and_tags_go_when_they_are_old(job: Job, pointer: list[Pointer]) -> None:
    heads = appended(job)
    for number, head in enumerate(heads[:4], 1):
        master.tag(job, head.snapshot, number)
    pointer[0] = Pointer(
        complete=(published(3, heads[2]), published(2, heads[1])),
        claims=(Claim(9, "a", published(9, heads[4]).plan),),
    )

    [young] = keep_up(job)

    kept = {head.snapshot for head in heads[:5]}
    assert (young.tags, young.snapshots) == (0, 1)
    assert all(master.has_snapshot(job, snapshot) for snapshot in kept)
    assert not master.has_snapshot(job, heads[5].snapshot), "only the compacted one is left of its records"

    job.clock = lambda: newest_micros(job) + 11 * MICROS_PER_DAY
    [old] = keep_up(job)

    assert old.tags == 2, "batches 1 and 4 are in no slot"
    assert [master.has_snapshot(job, head.snapshot) for head in heads[:5]] == [False, True, True, False, True]
    assert states(job, heads[1])


def newest_micros(job: Job) -> int:
    return master.commit_of(job, newest(job).snapshot).at


def filled(job: Job, name: str, partition: str, values: Sequence[object], files: int) -> None:
    """The table has, for each value of its partition column, `ROWS` rows in so many files: as many tasks wrote them."""
    spread = job.spark.range(ROWS).repartition(files)
    schema = job.spark.table(name).schema
    parts = [spread.select(*(_value_of(field, partition, value) for field in schema)) for value in values]
    rows = reduce(DataFrame.unionByName, parts)
    rows.writeTo(name).option("distribution-mode", "none").option("fanout-enabled", "true").append()


def _value_of(field: StructField, partition: str, value: object) -> Column:
    if field.name == partition:
        return F.lit(value).cast(field.dataType).alias(field.name)
    has_number = isinstance(field.dataType, LongType | IntegerType | StringType)
    return (F.col("id") if has_number else F.lit(None)).cast(field.dataType).alias(field.name)


def content(job: Job, name: str) -> list[str]:
    return sorted(str(tuple(row)) for row in job.spark.table(name).collect())


def data_files(job: Job, name: str) -> int:
    return job.spark.table(f"{name}.files").count()


def snapshots(job: Job, name: str) -> list[int]:
    return [int(each.snapshotId()) for each in lake.load(job, name).snapshots()]


@pytest.fixture
def tables(job: Job) -> list[str]:
    """The tables beside the master, with two partitions of six files and one of two in each."""
    made = []
    for of, columns in ((scores, scores.COLUMNS), (quarantine, quarantine.COLUMNS)):
        made.append(of.table(job.settings))
        store.ensure(job, made[-1], columns)
        filled(job, made[-1], "batch_id", [1, 2], files=6)
        filled(job, made[-1], "batch_id", [3], files=2)
    warehouse.ensure(job)
    made.append(warehouse.table(job.settings))
    filled(job, made[-1], "as_of", [date(2024, 5, 1), date(2024, 5, 2)], files=6)
    filled(job, made[-1], "as_of", [date(2024, 5, 3)], files=2)
    features.TABLE.ensure(job)
    made.append(features.TABLE.name(job.settings))
    filled(job, made[-1], "batch_id", [1, 2], files=6)
    filled(job, made[-1], "batch_id", [3], files=2)
    return made


def test_the_tables_beside_the_master_keep_their_rows_in_fewer_files(
    job: Job, pointer: list[Pointer], tables: list[str]
) -> None:
    """A partition of few files is left alone, and of the history the newest snapshots stay."""
    for _ in range(KEPT_SNAPSHOTS // 2):
        iceberg.commit_nothing(job, tables[0])
    before = [(content(job, name), data_files(job, name), len(snapshots(job, name))) for name in tables]
    assert [(files, history) for _, files, history in before] == [(14, 2 + KEPT_SNAPSHOTS), *[(14, 2)] * 3]
    reported: list[Upkeep] = []

    done = keep_up(job, reported.append)

    assert list(done) == reported
    assert [each.table for each in done] == ["quality", "quarantine", "customer_metrics", "features"]
    assert [(each.compacted, each.into) for each in done] == [(12, 2)] * 4
    after = [(content(job, name), data_files(job, name), len(snapshots(job, name))) for name in tables]
    assert [rows for rows, _, _ in after] == [rows for rows, _, _ in before]
    assert [(files, history) for _, files, history in after] == [(4, KEPT_SNAPSHOTS), *[(4, 3)] * 3]
    assert [each.snapshots for each in done] == [3, 0, 0, 0]
    assert done[0].files > 0
    assert [(each.compacted, each.snapshots) for each in keep_up(job)] == [(0, 0)] * 4


def test_an_export_that_was_planned_before_changes_nothing_and_one_planned_anew_replaces_its_day(
    job: Job, pointer: list[Pointer], tables: list[str]
) -> None:
    """R19: only a run that was paused, and then taken over, could try."""
    name = tables[2]
    planned_from = warehouse.current(job)
    day = job.spark.table(name).where(F.col("as_of") == date(2024, 5, 1)).limit(3)
    rows = job.spark.createDataFrame(day.collect(), day.schema)
    keep_up(job)

    with pytest.raises(BatchError, match="conflicting"):
        warehouse.replace(job, rows, [date(2024, 5, 1)], planned_from)

    assert len(content(job, name)) == 3 * ROWS
    warehouse.replace(job, rows, [date(2024, 5, 1)], warehouse.current(job))
    assert len(content(job, name)) == 3 + 2 * ROWS


def test_a_kill_in_the_midst_leaves_every_table_readable_and_the_same_call_finishes_it(
    job: Job, pointer: list[Pointer], tables: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a kill nothing is tidied: the branch stays, without the compacted snapshot, and then with it."""
    head = appended(job)[-1]
    name = master.table(job.settings)
    held = states(job, head), [content(job, each) for each in tables]

    def killed(*_: object) -> None:
        raise Killed

    for where, moment in ((lake, "actions"), (iceberg, "_go_over")):
        with monkeypatch.context() as patched:
            patched.setattr(where, moment, killed)
            if moment == "actions":  # inside the branch: what leaves it by an error would drop it
                patched.setattr(iceberg, "_drop_branch", lambda table: None)
            with pytest.raises(Killed):
                keep_up(job)
        assert iceberg.BRANCH in refs(job, name)
        assert newest(job) == head
        assert (states(job, head), [content(job, each) for each in tables]) == held

    done = keep_up(job)

    assert [each.compacted for each in done] == [PARTS * APPENDS, 12, 12, 12, 12]
    assert (states(job, newest(job)), [content(job, each) for each in tables]) == held
    assert iceberg.BRANCH not in refs(job, name)


def test_what_a_killed_compaction_left_keeps_no_erased_row(job: Job, pointer: list[Pointer], tables: list[str]) -> None:
    """R24: its branch names a snapshot, from which rows would come back that are in no table any more."""
    name = tables[2]
    old = lake.current(job, name)
    lake.load(job, name).manageSnapshots().createBranch(iceberg.BRANCH, old).commit()
    job.spark.sql(f"DELETE FROM {name} WHERE as_of = DATE '2024-05-01'")

    iceberg.commit_nothing(job, name)
    iceberg.forget_history(job, name)

    assert old not in snapshots(job, name)
    assert len(snapshots(job, name)) == 1
    assert len(content(job, name)) == 2 * ROWS


def test_upkeep_behind_an_erasure_keeps_what_it_forgot_forgotten(
    job: Job, pointer: list[Pointer], tables: list[str]
) -> None:
    """R24: behind its two empty commits there is nothing to go back to, and a compaction brings nothing back."""
    name = tables[2]
    job.spark.sql(f"DELETE FROM {name} WHERE as_of = DATE '2024-05-03'")
    iceberg.commit_nothing(job, name)
    iceberg.forget_history(job, name)
    held = content(job, name)

    keep_up(job)

    assert content(job, name) == held
    assert len(held) == 2 * ROWS
    assert len(snapshots(job, name)) == 2


class Killed(BaseException):
    """Nothing catches it."""


def refs(job: Job, name: str) -> set[str]:
    return {str(ref) for ref in lake.load(job, name).refs()}
