"""The features on Spark and Iceberg, without servers: what was known at each cut, and never anew (R6, R16, R24)."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from batch_layer import lake
from batch_layer.erasure import warehouse as erased
from batch_layer.erasure.found import erasures
from batch_layer.erasure.warehouse import Exported
from batch_layer.export import export, features, tables, warehouse
from batch_layer.export.backfill import Days, backfill
from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.master.table import Head
from common.algebra.cut import Cut
from common.algebra.dates import datetime_of
from common.algebra.pointer import Published
from common.errors import BatchError
from common.log.position import spelled
from common.settings import BatchSettings, Settings
from infra.proof.oracle import Oracle, RawRecord
from tests.support.builders import APPENDED_AT, AS_OF, Log, erasure, order, profile, random_log
from tests.support.exported import published
from tests.support.features import FeatureRow, feature_rows, oracle_features
from tests.support.jobs import without_servers
from tests.support.masters import commit
from tests.support.residue import search

pytestmark = [pytest.mark.spark, pytest.mark.slow]
LAST_DAY = datetime_of(APPENDED_AT).date()
"""The day on which the records of these logs were appended."""


@pytest.fixture
def job(spark: SparkSession, tmp_path: Path) -> Job:
    """A job with an empty master of 3 buckets, and no servers."""
    settings = Settings(home=tmp_path, batch=BatchSettings(buckets=3))
    made = without_servers(spark, settings)
    master.ensure(made)
    return made


def exported(job: Job, batch: Published, as_of: date = LAST_DAY) -> str:
    """What a run's export does with the batch for the day on which it was published, but for the rankings."""
    rows, _ = export.day_replaced(job, batch, as_of)
    return export.features_replaced(job, batch, as_of, rows)


def batch_of(job: Job, records: Sequence[RawRecord], batch_id: int) -> Published:
    return published(commit(job, records), LAST_DAY + timedelta(days=batch_id), batch_id=batch_id)


def last_append(records: Sequence[RawRecord]) -> datetime:
    return datetime_of(max(record.appended_at for record in records))


def of_batch(job: Job, batch_id: int) -> dict[str, FeatureRow]:
    return {customer: row for (batch, customer), row in feature_rows(job).items() if batch == batch_id}


def test_a_row_is_the_oracles_answer_below_the_cut_known_when_its_last_record_was_appended(job: Job) -> None:
    """R6, R7, R16: for a random log with erasures and rejected records, as of the day of the last append."""
    log = random_log(seed=81, count=700, customers=25)
    batch = batch_of(job, log.records, 1)
    oracle = Oracle(log.records, log.partitions)

    told = exported(job, batch, as_of=AS_OF)

    assert told == f"features as of {LAST_DAY}"
    found = of_batch(job, 1)
    assert sorted(found) == oracle.customers()
    for customer, row in found.items():
        assert row.features == oracle_features(oracle, customer, LAST_DAY), customer
        assert row.known_at == last_append(log.records)
        assert (row.created_at, row.as_of) == (datetime_of(batch.published_at), LAST_DAY)
        assert row.cut == spelled(batch.plan.cut.offsets)
    types = {field.name: field.dataType.simpleString() for field in job.spark.table(name(job)).schema}
    assert types == {column: kind.sql for column, kind in features.COLUMNS.items()}


def test_records_at_or_above_the_cut_are_neither_counted_nor_dated(job: Job) -> None:
    """R8: the master may hold more than the cut, which an operator's `--until` leaves."""
    log = random_log(seed=82, count=200, customers=8)
    head = commit(job, log.records)
    cut = Cut.of({partition: offset // 2 for partition, offset in head.offsets.offsets.items()})
    batch = published(Head(head.snapshot, 1, cut, "topic", head.validation_version), LAST_DAY)
    oracle = Oracle(log.records, log.partitions)

    exported(job, batch)

    found = of_batch(job, 1)
    assert sorted(found) == oracle.customers(below=cut.offsets)
    below = [record for record in log.records if record.offset < cut[record.partition]]
    assert {row.known_at for row in found.values()} == {last_append(below)}
    assert last_append(below) < last_append(log.records)


def test_a_repeated_export_equals_one_and_keeps_few_snapshots(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a row holds the batch's own rows where a later batch has taken its day in the warehouse."""
    monkeypatch.setattr(tables, "KEPT_SNAPSHOTS", 2)
    log = random_log(seed=83, count=200, customers=8)
    first = batch_of(job, log.records[:120], 1)
    exported(job, first)
    once = feature_rows(job)

    for _ in range(3):
        exported(job, first)

    assert feature_rows(job) == once
    assert sum(1 for _ in lake.load(job, name(job)).snapshots()) == 2
    exported(job, batch_of(job, log.records[120:], 2))
    both = feature_rows(job)

    exported(job, first)

    assert feature_rows(job) == both
    assert {key: row for key, row in both.items() if key[0] == 1} == once


def test_what_comes_late_is_in_later_rows_alone(job: Job) -> None:
    """No leakage: a late order, a correction and a profile of the past change no row that was known before them."""
    log = Log()
    log.append(order("ada", "o1", "2024-06-01", "10.00"))
    exported(job, batch_of(job, log.records, 1))
    before = feature_rows(job)
    late = log.append(
        order("ada", "o2", "2024-05-01", "5.00"),
        order("ada", "o1", "2024-06-01", "7.00", updated_at="2024-06-02"),
        profile("ada", country="DE"),
        order("bob", "o1", "2024-05-01"),
    )

    exported(job, batch_of(job, late, 2))

    rows = feature_rows(job)
    assert {key: row for key, row in rows.items() if key[0] == 1} == before
    known, since = rows[1, "ada"], rows[2, "ada"]
    assert (known.features["total_revenue_cents"], known.features["country"]) == (1000, None)
    assert (since.features["total_revenue_cents"], since.features["country"]) == (1200, "DE")
    assert known.known_at < since.known_at
    assert sorted(rows) == [(1, "ada"), (2, "ada"), (2, "bob")]


def test_a_backfill_touches_no_feature(job: Job) -> None:
    """It makes past days of the warehouse what is known of them today, which is what features must not know."""
    log = random_log(seed=84, count=150, customers=6)
    exported(job, batch_of(job, log.records[:100], 1))
    later = batch_of(job, log.records[100:], 2)
    before = (feature_rows(job), features.TABLE.current(job))

    backfill(job, later, Days(LAST_DAY - timedelta(days=1), LAST_DAY))

    assert (feature_rows(job), features.TABLE.current(job)) == before


def test_a_log_without_records_has_no_features_and_what_is_rejected_is_absorbed_too(job: Job) -> None:
    empty = published(commit(job, [], partitions=4), LAST_DAY)
    assert exported(job, empty) == "no features"
    assert not lake.exists(job.spark, name(job))
    log = Log()
    log.append(order("ada", "o1"))
    rejected = RawRecord(0, log.next_offsets[0] + 5, b"ada", b"no record", APPENDED_AT + 9_000_000)

    exported(job, batch_of(job, [*log.records, rejected], 2))

    assert of_batch(job, 2)["ada"].known_at == datetime_of(rejected.appended_at)


def test_a_commit_that_was_planned_before_another_of_the_batch_changes_nothing(job: Job) -> None:
    """As an export that was paused, and goes on after another one has finished it."""
    batch = batch_of(job, random_log(seed=85, count=60).records, 1)
    exported(job, batch)
    planned_from = features.TABLE.current(job)
    exported(job, batch)
    before = feature_rows(job)
    rows = warehouse.day(job, LAST_DAY, warehouse.current(job) or 0)

    with pytest.raises(BatchError, match="conflicting"):
        features.replace(job, rows, batch, APPENDED_AT, planned_from)

    assert feature_rows(job) == before


def test_an_amount_beyond_64_bits_is_null_and_keeps_no_export_back(job: Job) -> None:
    """The lifetime value of absurd orders, a century apart, needs more bits than the orders themselves."""
    log = Log()
    log.append(order("whale", "o1"), order("shark", "o1"))
    batch = batch_of(job, log.records, 1)
    rows = warehouse_of(job, batch)
    least = "CAST('92233720368547758.08' AS decimal(38,2))"
    absurd = f"IF(customer_id = 'whale', {least}, {least} - CAST(0.01 AS decimal(38,2)))"
    rows = rows.withColumn("estimated_clv", F.expr(f"CAST({absurd} AS decimal(38,2))"))

    features.TABLE.ensure(job)
    features.replace(job, rows, batch, APPENDED_AT, None)

    found = {customer: row.features["estimated_clv_cents"] for customer, row in of_batch(job, 1).items()}
    assert found == {"whale": None, "shark": 2**63 - 1}


def test_r24_erased_customers_leave_the_features_and_their_history(job: Job, tmp_path: Path) -> None:
    """R24: rows of batches below the erasure go, also from older snapshots; who came back since stays."""
    log = Log()
    log.append(order("zq-gone", "o1"), order("zq-back", "o1"), order("kept", "o1"), profile("zq-gone", country="GB"))
    first = batch_of(job, log.records, 1)
    exported(job, first)
    stale = warehouse.day(job, LAST_DAY, warehouse.current(job) or 0).cache()
    stale.count()
    done = len(log.records)
    log.append(erasure("zq-gone"), erasure("zq-back"), order("zq-back", "o2"))
    head = commit(job, log.records[done:])
    exported(job, published(head, LAST_DAY, batch_id=2))
    zombie = features.TABLE.current(job)
    folder = tmp_path / "warehouse" / "lambda360" / "features"
    assert search([folder], ["zq-gone"])["zq-gone"]
    found = erasures(master.at_snapshot(job, head.snapshot))

    removed = erased.remove(job, found, Exported.FEATURES)

    assert removed is not None
    assert removed.rows == 2
    assert sorted(feature_rows(job)) == [(1, "kept"), (2, "kept"), (2, "zq-back")]
    assert search([folder], ["zq-gone"]) == {"zq-gone": set()}
    with pytest.raises(BatchError):  # a run that was paused before the erasure
        features.replace(job, stale, first, APPENDED_AT, zombie)
    again = erased.remove(job, found, Exported.FEATURES)
    assert again is not None
    assert again.rows == 0


def test_a_batch_of_another_logic_version_has_no_features(job: Job) -> None:
    """R7: its states, computed by this release, would not be those that were published."""
    batch = batch_of(job, random_log(seed=86, count=30).records, 1)
    other = replace(batch, plan=replace(batch.plan, logic_version="0"))

    assert export.export(job, other) == "left out: batch 1 is of logic version 0"
    assert not lake.exists(job.spark, name(job))


def name(job: Job) -> str:
    return features.TABLE.name(job.settings)


def warehouse_of(job: Job, batch: Published) -> DataFrame:
    rows, _ = export.day_replaced(job, batch, LAST_DAY)
    return rows
