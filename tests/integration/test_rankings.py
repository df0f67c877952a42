"""Rankings on Spark, without servers: of a random log they are the oracle's answers, sorted (R6, R20)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from batch_layer.export import rankings
from batch_layer.export.presented import presented, states_of
from batch_layer.job import Job
from batch_layer.master import table as master
from common.algebra.metrics import RANKED
from common.algebra.rankings import shown
from common.settings import BatchSettings, Settings
from infra.proof.oracle import Oracle
from tests.support.builders import AS_OF, order, profile, random_log
from tests.support.exported import oracle_row, published
from tests.support.jobs import without_servers
from tests.support.masters import commit

pytestmark = [pytest.mark.spark, pytest.mark.slow]
SIZE = 4
Found = dict[tuple[str, str, str], list[tuple[str, Any]]]


@pytest.fixture
def job(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A job with an empty master of 3 buckets that is read as a large one is, and no servers."""
    monkeypatch.setattr(master, "SMALL", 0)
    settings = Settings(home=tmp_path, batch=BatchSettings(buckets=3))
    made = without_servers(spark, settings)
    master.ensure(made)
    return made


def by_the_oracle(oracle: Oracle) -> Found:
    """The rule, word for word: the greatest values, ties by customer id, of all, of a segment, of a country."""
    found: Found = {}
    for metric in RANKED:
        for customer in oracle.customers():
            row = oracle_row(oracle, customer, AS_OF)
            members = {"all": "", "segment": row["segment"], "country": row["country"]}
            for scope, member in members.items():
                if row[metric.name] is not None and member is not None:
                    found.setdefault((metric.name, scope, member), []).append((customer, row[metric.name]))
    return {
        key: sorted(entries, key=lambda entry: (-float(entry[1]), entry[0]))[:SIZE] for key, entries in found.items()
    }


@pytest.mark.parametrize("in_one_task", [False, True])
def test_every_ranking_is_the_oracles_answers_sorted(job: Job, in_one_task: bool) -> None:
    """With ties, with customers without a value, a segment or a country, and with erased ones."""
    log = random_log(seed=31, count=900, customers=40)
    log.append(*(order(f"tie-{n}", "o1", "2024-06-01", "9999999999.99") for n in range(6)))
    log.append(*(profile(f"tie-{n}", segment="ties", country="GB") for n in range(3)))
    log.append(profile("without-orders", segment="ties"))
    batch = published(commit(job, log.records), AS_OF)
    rows = presented(states_of(job, batch), batch, [AS_OF])

    found = list(in_lists(rankings.ranked(rows, SIZE, in_one_task=in_one_task).collect()))

    keys = [key for key, _ in found]
    assert len(keys) == len(set(keys)), "the rows of a ranking stand together"
    expected = by_the_oracle(Oracle(log.records, log.partitions))
    assert dict(found) == expected
    tied = [f"tie-{n}" for n in range(3)]
    assert [customer for customer, _ in expected["total_revenue", "segment", "ties"]] == [*tied, "without-orders"]
    assert [customer for customer, _ in expected["avg_order_value", "segment", "ties"]] == tied


def in_lists(rows: list[Any]) -> Iterator[tuple[tuple[str, str, str], list[tuple[str, Any]]]]:
    """Each run of rows of one ranking, as the writer sees them."""
    entries: list[tuple[str, Any]] = []
    before = None
    for row in rows:
        key = (row["metric"], row["scope"], row["member"])
        if key != before and before is not None:
            yield before, entries
            entries = []
        before = key
        entries.append((row["customer_id"], shown(row["metric"], row["value"])))
    if before is not None:
        yield before, entries


def test_rankings_of_nobody_are_none(job: Job) -> None:
    batch = published(commit(job, random_log(seed=32, count=40).records), AS_OF)
    rows = presented(states_of(job, batch), batch, [AS_OF]).limit(0)

    assert rankings.ranked(rows, SIZE, in_one_task=False).collect() == []
