"""The warehouse on Spark and Iceberg, without servers: one row a customer and day, replaced whole (R6, R16, R24)."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from pyspark.sql import SparkSession

from batch_layer import lake
from batch_layer.erasure import warehouse as erased_warehouse
from batch_layer.erasure.found import erasures
from batch_layer.export import export, tables, warehouse
from batch_layer.export.backfill import Days, backfill
from batch_layer.export.columns import COLUMNS
from batch_layer.export.presented import presented, states_of
from batch_layer.job import Job
from batch_layer.master import table as master
from common.algebra.metrics import METRIC
from common.errors import BatchError
from common.log.position import spelled
from common.settings import BatchSettings, Settings
from infra.proof.oracle import Oracle
from tests.support.builders import AS_OF, Log, erasure, order, profile, random_log
from tests.support.exported import answer_of, oracle_row, published, warehouse_rows
from tests.support.jobs import without_servers
from tests.support.masters import commit
from tests.support.residue import search

pytestmark = [pytest.mark.spark, pytest.mark.slow]
DAYS = [AS_OF - timedelta(days=45), AS_OF - timedelta(days=1), AS_OF]
NAMES = {**METRIC, "country": None, "segment": None}


@pytest.fixture
def job(spark: SparkSession, tmp_path: Path) -> Job:
    """A job with an empty master of 3 buckets, and no servers."""
    settings = Settings(home=tmp_path, batch=BatchSettings(buckets=3))
    made = without_servers(spark, settings)
    master.ensure(made)
    return made


def snapshots(job: Job) -> int:
    return sum(1 for _ in lake.load(job, warehouse.table(job.settings)).snapshots())


def test_every_metric_of_a_customer_is_the_oracles_and_its_profile_too(job: Job) -> None:
    """R6, R7, R16: for a random log with erasures and rejected records; each column has the type of its unit."""
    log = random_log(seed=21, count=700, customers=25)
    batch = published(commit(job, log.records), AS_OF)
    oracle = Oracle(log.records, log.partitions)

    backfill(job, batch, Days(AS_OF - timedelta(days=1), AS_OF))

    found = warehouse_rows(job)
    assert sorted(found) == [(day, customer) for day in DAYS[1:] for customer in oracle.customers()]
    for (day, customer), row in found.items():
        assert answer_of(row, NAMES) == oracle_row(oracle, customer, day), (day, customer)
        assert (row["batch_id"], row["cut"]) == (1, spelled(batch.plan.cut.offsets))
    types = {
        field.name: field.dataType.simpleString() for field in job.spark.table(warehouse.table(job.settings)).schema
    }
    assert types == {name: kind.sql for name, kind in COLUMNS.items()}
    assert not any(kind in ("float", "double") for kind in types.values())


def test_a_repeated_export_equals_one_and_keeps_few_snapshots(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rows to the byte; and a later batch of the same day takes the place of an earlier one."""
    monkeypatch.setattr(tables, "KEPT_SNAPSHOTS", 2)
    log = random_log(seed=22, count=200, customers=8)
    first = published(commit(job, log.records[:120]), AS_OF)
    export.day_replaced(job, first, AS_OF)
    once = warehouse_rows(job)

    for _ in range(3):
        export.day_replaced(job, first, AS_OF)

    assert warehouse_rows(job) == once
    assert snapshots(job) == 2
    later = published(commit(job, log.records[120:]), AS_OF, batch_id=2, slot="b")
    _, told = export.day_replaced(job, later, AS_OF)
    second = warehouse_rows(job)
    assert {row["batch_id"] for row in second.values()} == {2}
    assert told == f"0 customers of {AS_OF} in the warehouse"

    rows, told = export.day_replaced(job, first, AS_OF)

    assert told == f"{AS_OF} stays as batch 2 left it in the warehouse"
    assert warehouse_rows(job) == second
    assert {(row["as_of"], row["customer_id"]): row.asDict() for row in rows.collect()} == once


def test_a_backfill_equals_the_exports_of_those_days_and_touches_no_other(job: Job) -> None:
    """R6: days are selected from today's knowledge; both ends are included."""
    log = random_log(seed=23, count=300, customers=10)
    batch = published(commit(job, log.records), AS_OF)
    for day in DAYS:
        export.day_replaced(job, batch, day)
    exported = warehouse_rows(job)
    other = Log()
    other.append(order("newcomer", "o1", str(DAYS[0])))
    between = [record._replace(offset=record.offset + 1000) for record in other.records]
    later = published(commit(job, between), AS_OF, batch_id=2)

    backfill(job, later, Days(DAYS[1], DAYS[2]))
    assert [day for day, customer in sorted(warehouse_rows(job)) if customer == "newcomer"] == DAYS[1:]
    kept = {key: row for key, row in warehouse_rows(job).items() if key[0] == DAYS[0]}
    assert kept == {key: row for key, row in exported.items() if key[0] == DAYS[0]}
    backfill(job, batch, Days(DAYS[1], DAYS[2]))

    assert warehouse_rows(job) == exported


def test_a_commit_that_was_planned_before_another_of_the_same_day_changes_nothing(job: Job) -> None:
    """As a run that was paused, and goes on after another one has exported that day."""
    batch = published(commit(job, random_log(seed=24, count=60).records), AS_OF)
    export.day_replaced(job, batch, DAYS[0])
    planned_from = warehouse.current(job)
    rows = presented(states_of(job, batch), replace(batch, batch_id=9), [AS_OF])
    export.day_replaced(job, batch, AS_OF)
    before = warehouse_rows(job)

    with pytest.raises(BatchError, match="conflicting"):
        warehouse.replace(job, rows, [AS_OF], planned_from)

    assert warehouse_rows(job) == before


def test_a_new_metric_is_a_new_column_and_no_other_column_changes(job: Job) -> None:
    """Columns are only added: one of an older or a newer release stays, null in what this release writes."""
    batch = published(commit(job, random_log(seed=25, count=80).records), AS_OF)
    name = warehouse.table(job.settings)
    warehouse.ensure(job)
    job.spark.sql(f"ALTER TABLE {name} DROP COLUMN orders_90d")
    job.spark.sql(f"ALTER TABLE {name} ADD COLUMN of_old bigint")

    export.day_replaced(job, batch, AS_OF)

    rows = warehouse_rows(job).values()
    assert {row["of_old"] for row in rows} == {None}
    assert all(row["orders_90d"] is not None for row in rows)
    job.spark.sql(f"ALTER TABLE {name} DROP COLUMN risk_reason")
    job.spark.sql(f"ALTER TABLE {name} ADD COLUMN risk_reason bigint")
    with pytest.raises(BatchError, match=r"column risk_reason of .* is bigint, and this release writes string"):
        warehouse.ensure(job)


def test_a_batch_of_another_logic_version_is_not_exported(job: Job) -> None:
    """R7: its states, computed by this release, would not be those that were published."""
    batch = published(commit(job, random_log(seed=26, count=30).records), AS_OF)
    other = replace(batch, plan=replace(batch.plan, logic_version="0"))

    with pytest.raises(BatchError, match="is of logic version 0"):
        backfill(job, other, Days(AS_OF, AS_OF))
    assert export.export(job, other) == "left out: batch 1 is of logic version 0"


def test_r24_erased_customers_leave_the_warehouse_and_its_history(job: Job, tmp_path: Path) -> None:
    """R24: rows of batches below the erasure go, also from older snapshots; who came back since stays."""
    log = Log()
    log.append(order("zq-gone", "o1"), order("zq-back", "o1"), order("kept", "o1"), profile("zq-gone", country="GB"))
    first = published(commit(job, log.records), AS_OF)
    for day in (AS_OF - timedelta(days=1), AS_OF):
        export.day_replaced(job, first, day)
    done = len(log.records)
    log.append(erasure("zq-gone"), erasure("zq-back"), order("zq-back", "o2"))
    head = commit(job, log.records[done:])
    export.day_replaced(job, published(head, AS_OF, batch_id=2), AS_OF)
    zombie = warehouse.current(job)
    stale = presented(states_of(job, first), first, [AS_OF + timedelta(days=1)])
    in_warehouse = tmp_path / "warehouse" / "lambda360" / "customer_metrics"
    assert search([in_warehouse], ["zq-gone"])["zq-gone"]
    found = erasures(master.at_snapshot(job, head.snapshot))

    removed = erased_warehouse.remove(job, found)

    assert removed is not None
    assert removed.rows == 2
    assert sorted(warehouse_rows(job)) == [
        (AS_OF - timedelta(days=1), "kept"),
        (AS_OF, "kept"),
        (AS_OF, "zq-back"),
    ]
    assert search([in_warehouse], ["zq-gone"]) == {"zq-gone": set()}
    assert snapshots(job) == 1
    before_second = warehouse.current(job)
    again = erased_warehouse.remove(job, found)
    assert again is not None
    assert again.rows == 0
    for planned_from in (zombie, before_second):
        with pytest.raises(BatchError):  # a run that was paused before an erasure, though that removed no row
            warehouse.replace(job, stale, [AS_OF + timedelta(days=1)], planned_from)
    assert "zq-gone" not in {customer for _, customer in warehouse_rows(job)}


def test_r24_without_a_warehouse_there_is_nothing_to_remove(job: Job) -> None:
    assert erased_warehouse.remove(job, []) is None
    warehouse.ensure(job)
    removed = erased_warehouse.remove(job, [])
    assert removed is not None
    assert removed.rows == 0


def test_what_a_day_holds_is_counted_by_batch(job: Job) -> None:
    assert warehouse.held(job, AS_OF, AS_OF) == []
    log = random_log(seed=27, count=80, customers=6)
    batch = published(commit(job, log.records), AS_OF, batch_id=4)
    export.day_replaced(job, batch, AS_OF)
    known = len(Oracle(log.records, log.partitions).customers())

    found = warehouse.held(job, date(2024, 1, 1), AS_OF)

    assert [tuple(each) for each in found] == [(AS_OF, 4, known)]
    assert warehouse.newest(job, AS_OF) == 4
    assert warehouse.newest(job, date(2024, 1, 1)) is None
