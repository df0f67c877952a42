"""R16, R4, R5 and R24 on Spark: the recomputation of a random master is the pure fold's, and needs no shuffle."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.master.archive import revalidate
from batch_layer.master.table import COLUMNS, RAW, Head
from batch_layer.session import spark_errors
from batch_layer.view.load import loading
from batch_layer.view.recompute import recomputed
from common.algebra.cut import Cut
from common.algebra.merge import merge
from common.algebra.metrics import present
from common.algebra.pointer import Claim, Plan
from common.algebra.profile import present_profile
from common.algebra.view_row import ViewRow
from common.errors import BatchError, StoreUnavailable
from common.log.events import validation_version
from common.log.normalizing import Rules
from common.servers.log_identity import LogIdentity
from common.settings import BatchSettings, Settings
from infra.proof.oracle import Oracle
from tests.support.builders import AS_OF, Log, erasure, marketing, order, profile, random_log, ticket
from tests.support.jobs import without_servers
from tests.support.masters import commit
from tests.support.model import batch_rows

pytestmark = pytest.mark.spark
CLAIM = Claim(1, "a", Plan(1, Cut.zero(), "", ""))


@pytest.fixture
def job(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A job with an empty master of 8 buckets that is read as a large one is, and no servers."""
    monkeypatch.setattr(master, "SMALL", 0)
    settings = Settings(home=tmp_path, batch=BatchSettings(buckets=8))
    made = without_servers(spark, settings)
    master.ensure(made)
    return made


def states(job: Job, head: Head, cut: Cut) -> dict[str, str]:
    rows = recomputed(job, head.snapshot, cut).collect()
    found = {row["customer_id"]: row["state"] for row in rows}
    assert len(found) == len(rows), "one row a customer"
    return found


def plan_of(job: Job, head: Head) -> str:
    """The physical plan of the query that loads a batch."""
    query = loading(job, recomputed(job, head.snapshot, head.offsets), CLAIM)
    return str(query._jdf.queryExecution().executedPlan().toString())


def test_every_state_is_byte_for_byte_that_of_the_pure_fold_at_each_cut(job: Job) -> None:
    """R16, R4, R24: stale, repeated, corrected, cancelled, erased and poisoned records, in three commits."""
    log = random_log(seed=7, count=900, customers=12)
    heads = [commit(job, log.records[start : start + 300]) for start in (0, 300, 600)]
    for cut in (head.offsets for head in heads):
        expected = batch_rows(log.records, cut.offsets, log.partitions)
        assert states(job, heads[-1], cut) == {customer: row.to_json() for customer, row in expected.items()}


def test_every_metric_of_every_state_is_the_oracles(job: Job) -> None:
    """R6, R16: the same customers are known, and their states present the oracle's answers."""
    log = random_log(seed=11, count=600, customers=10)
    head = commit(job, log.records)
    oracle = Oracle(log.records, log.partitions)
    found = states(job, head, head.offsets)
    assert sorted(found) == oracle.customers()
    for as_of in (AS_OF, AS_OF - timedelta(days=45)):
        rows = {customer: merge(ViewRow.from_json(state), (), 0) for customer, state in found.items()}
        answers = {customer: present(row.state, as_of, row.profile) for customer, row in rows.items()}
        assert answers == {customer: oracle.answer(customer, as_of) for customer in found}
        profiles = {customer: present_profile(row.profile) for customer, row in rows.items()}
        assert profiles == {customer: oracle.profile(customer) for customer in found}


def test_hot_odd_and_empty_customers_have_their_states(job: Job) -> None:
    """R16: a customer of many facts, ids from all over Unicode, a zero state, an erased customer who came back."""
    log = Log()
    odd = ["zoë", "顧客 42", "🧾", "a'b\"c\\d", "O\u2019Brien; --", "zoe\u0308", "a\u3000b", "x" * 128, "{}", "null"]
    log.append(*(order("hot", f"o{n}", f"20{n % 60 + 20}-01-0{n % 9 + 1}", f"{n}.07") for n in range(3000)))
    log.append(*(order(customer, "o1") for customer in odd))
    log.append(order("idle", "o1", status="cancelled"), ticket("idle2", "t1"), ticket("back", "t1"))
    log.append(marketing("gone"), erasure("gone"), erasure("never"), erasure("back"), order("back", "o2"))
    head = commit(job, log.records)
    expected = batch_rows(log.records, head.offsets.offsets, log.partitions)
    found = states(job, head, head.offsets)
    assert found == {customer: row.to_json() for customer, row in expected.items()}
    assert found["idle"] == '{"days":{},"profile":null}'
    assert {"gone", "never"}.isdisjoint(found)
    assert set(odd) <= set(found)


def test_the_plan_of_the_load_holds_no_exchange(job: Job) -> None:
    """R16: on many buckets and several commits, so that a bucket has several files."""
    log = random_log(seed=3, count=300, customers=40)
    heads = [commit(job, log.records[start : start + 100]) for start in (0, 100, 200)]
    plan = plan_of(job, heads[-1])
    assert "Exchange" not in plan, plan
    assert "MapInArrow" in plan


def test_a_column_that_was_renamed_or_added_since_is_found_by_its_id(job: Job) -> None:
    """Old data files have the old name, or nothing; the present name counts."""
    log = random_log(seed=9, count=300, customers=5)
    commit(job, log.records[:150])
    job.spark.sql(f"ALTER TABLE {master.table(job.settings)} RENAME COLUMN status TO was_status")
    job.spark.sql(f"ALTER TABLE {master.table(job.settings)} ADD COLUMN status string")
    renamed = master.fields_of(job)["status"]
    job.spark.sql(f"ALTER TABLE {master.table(job.settings)} DROP COLUMN status")
    job.spark.sql(f"ALTER TABLE {master.table(job.settings)} RENAME COLUMN was_status TO status")
    head = commit(job, log.records[150:])

    assert master.fields_of(job)["status"] != renamed
    expected = batch_rows(log.records, head.offsets.offsets, log.partitions)
    assert states(job, head, head.offsets) == {customer: row.to_json() for customer, row in expected.items()}


def test_a_warehouse_whose_path_has_odd_characters(spark: SparkSession, tmp_path: Path, job: Job) -> None:
    """Arrow opens data files by URI, in which these are escaped."""
    settings = job.settings.model_copy(update={"home": tmp_path / "a b%20c ü"})
    odd = without_servers(spark, settings)
    master.ensure(odd)
    log = random_log(seed=12, count=60, customers=5)
    head = commit(odd, log.records)

    expected = batch_rows(log.records, head.offsets.offsets, log.partitions)
    assert states(odd, head, head.offsets) == {customer: row.to_json() for customer, row in expected.items()}


def test_a_file_that_is_older_than_a_column_has_nulls_in_it(job: Job) -> None:
    log = Log()
    log.append(profile("ada", segment="vip"))
    commit(job, log.records)
    name = master.table(job.settings)
    job.spark.sql(f"ALTER TABLE {name} DROP COLUMN segment")
    job.spark.sql(f"ALTER TABLE {name} ADD COLUMN segment string")
    head = master.head(job)
    assert head is not None

    assert '"segment":null' in states(job, head, head.offsets)["ada"]


def test_a_snapshot_with_delete_files_is_refused(job: Job) -> None:
    """Their rows are hidden from a reader of the data files."""
    commit(job, random_log(seed=4, count=60).records)
    name = master.table(job.settings)
    job.spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ('write.delete.mode' = 'merge-on-read')")
    job.spark.sql(f"DELETE FROM {name} WHERE kafka_offset = 3")

    with pytest.raises(BatchError, match="has delete files"):
        recomputed(job, master._iceberg(job).currentSnapshot().snapshotId(), Cut.zero())


def test_a_commit_planned_from_an_older_snapshot_adds_nothing(job: Job) -> None:
    """R15: two archivers of one plan; the late one is refused, the first commit of all included."""
    log = random_log(seed=5, count=60)
    for known in (0, 1):
        before = master.head(job)
        first = commit(job, log.records[known * 30 : known * 30 + 20])
        planned_from = None if before is None else before.snapshot
        rows = master.at_snapshot(job, first.snapshot).where(master.added_by(first.archive_id))
        added = master.added_by(first.archive_id)
        with pytest.raises(master.Conflict):
            master.replace(job, rows, planned_from=planned_from, head_after=first, replaced=added)
        assert master.head(job) == first
    assert master.at_snapshot(job, first.snapshot).count() == 40


def test_a_release_with_other_rules_validates_the_master_again(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """R3, R7: from the raw bytes, in one commit; the records stay, and the old snapshot too."""
    monkeypatch.setattr("batch_layer.master.archive.accepted_losses", lambda job: [])  # there is no Cassandra here
    log = Log()
    log.append(
        order("ada", "o1", currency="USD"), order("ada", "o2", currency="EUR"), order("bob", "o3", currency="EUR")
    )
    before = commit(job, log.records)
    assert list(states(job, before, before.offsets)) == ["ada"]
    euro = Job(
        job.settings.model_copy(update={"log": job.settings.log.model_copy(update={"currency": "EUR"})}),
        job.spark,
        job.session,
        clock=job.clock,
        report=job.report,
    )
    revalidate(euro, LogIdentity("t", "topic", 4), before)
    after = master.head(euro)
    assert after is not None
    assert (after.archive_id, after.offsets) == (before.archive_id, before.offsets)
    assert after.validation_version == validation_version(Rules("EUR")) != before.validation_version
    assert raw_rows(job, after) == raw_rows(job, before)
    assert sorted(states(euro, after, after.offsets)) == ["ada", "bob"]
    assert list(states(job, before, before.offsets)) == ["ada"]


def test_an_error_in_a_worker_is_one_line_that_says_it(job: Job) -> None:
    """What a task raises on a cluster reaches the user as the batch's own error."""

    def fail(_: Iterable[Any]) -> Iterable[Any]:
        raise StoreUnavailable("Cassandra is away, on two\nlines")

    with pytest.raises(BatchError) as raised, spark_errors("loading the view"):
        job.spark.range(3).mapInArrow(fail, "id bigint").collect()
    assert str(raised.value) == "loading the view: common.errors.StoreUnavailable: Cassandra is away, on two lines"


def raw_rows(job: Job, head: Head) -> list[Any]:
    return sorted(master.at_snapshot(job, head.snapshot).select(*RAW, "archive_id").collect())


def test_a_rejected_record_is_kept_with_its_bytes_and_the_rule(job: Job) -> None:
    """R3, R15: valid or not, once, with its raw bytes."""
    log = random_log(seed=13, count=400)
    head = commit(job, log.records)
    rows = master.at_snapshot(job, head.snapshot).select(*COLUMNS).collect()
    kept = {(r["kafka_partition"], r["kafka_offset"]): r for r in rows}
    assert len(rows) == len(kept) == len(log.records)
    rejected = {(record.partition, record.offset) for record, _ in Oracle(log.records, log.partitions).rejected}
    assert rejected
    for record in log.records:
        row = kept[record.partition, record.offset]
        raw = tuple(None if v is None else bytes(v) for v in (row["key"], row["value"]))
        assert (*raw, row["appended_at"]) == (record.key, record.value, record.appended_at)
        if (record.partition, record.offset) in rejected:
            assert all(row[name] is not None for name in ("rejected_field", "rejected_value", "rejected_rule"))
            assert all(row[name] is None for name in ("customer_id", "kind", "entity_id", "version"))
        else:
            assert all(row[name] is None for name in ("rejected_field", "rejected_value", "rejected_rule"))
            assert all(row[name] is not None for name in ("customer_id", "kind", "entity_id"))
