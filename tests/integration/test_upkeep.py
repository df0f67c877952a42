"""R15, R16 in Iceberg, without servers: what upkeep does to the master, and what it must not disturb."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from pyspark.sql import SparkSession

from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.master.table import Conflict, Head
from batch_layer.upkeep import keep_up
from batch_layer.view import publish
from batch_layer.view.recompute import recomputed
from common.algebra.dates import MICROS_PER_DAY
from common.algebra.pointer import Claim, Plan, Pointer, Published
from common.errors import BatchError
from common.settings import BatchSettings, Settings
from tests.support.builders import random_log
from tests.support.jobs import on_warehouse
from tests.support.masters import commit

pytestmark = [pytest.mark.spark, pytest.mark.slow]
APPENDS = 6
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
    made = Job(settings, on_warehouse(spark, settings), None, clock=lambda: 0, report=lambda *_: None)
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

    done = keep_up(job)

    after = newest(job)
    assert (done.compacted, done.into) == (PARTS * APPENDS, PARTS)
    assert after.snapshot != before.snapshot
    assert replace(after, snapshot=before.snapshot) == before
    assert [len(files) for files in master.files_of(job, after.snapshot)] == [1] * PARTS
    assert states(job, after) == expected
    assert rows(job, after.snapshot) == held
    again = keep_up(job)
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

    with pytest.raises(BatchError, match="another run changed the master"):
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

    young = keep_up(job)

    kept = {head.snapshot for head in heads[:5]}
    assert (young.tags, young.snapshots) == (0, 1)
    assert all(master.has_snapshot(job, snapshot) for snapshot in kept)
    assert not master.has_snapshot(job, heads[5].snapshot), "only the compacted one is left of its records"

    job.clock = lambda: newest_micros(job) + 11 * MICROS_PER_DAY
    old = keep_up(job)

    assert old.tags == 2, "batches 1 and 4 are in no slot"
    assert [master.has_snapshot(job, head.snapshot) for head in heads[:5]] == [False, True, True, False, True]
    assert states(job, heads[1])


def newest_micros(job: Job) -> int:
    return master.commit_of(job, newest(job).snapshot).at
