"""Features in Feast, by its own command, store and environment: parity, point-in-time joins, pushes.

`make test-feast` sets the environment up. Batches are real (Spark, Iceberg); the API is, too, over a store in memory.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import httpx
import pytest
from pyspark.sql import SparkSession

from batch_layer.export.folder import sync
from batch_layer.export.presented import states_of
from batch_layer.master import table as master
from common.algebra.dates import micros_of
from common.algebra.facts import Delta
from common.algebra.pointer import Published
from common.algebra.versions import logic_version
from common.log.copies import Copy, delta_event
from common.log.copy_events import decode_delta_event
from common.log.partition import partition_of
from common.log.position import Position
from common.settings import BatchSettings, Settings
from infra.operate.watch.render import as_json
from infra.proof.oracle import Oracle
from serving_layer.read.store import SlotRow
from tests.support.builders import APPENDED_AT, random_log
from tests.support.feast import FeastRepository, Vector, needs_feast
from tests.support.features import export_features, features_of, oracle_features
from tests.support.http_api import answering
from tests.support.jobs import without_servers
from tests.support.masters import commit
from tests.support.serving_fakes import MemoryViewStore, delta, order, pointing_at, progress

pytestmark = [
    pytest.mark.feast,
    pytest.mark.spark,
    pytest.mark.slow,
    pytest.mark.timeout(1_200),  # each of Feast's programs imports for 10 s, and for a minute on a busy machine
    needs_feast,
]
SEED: Final = 91
BETWEEN: Final = timedelta(days=2)
"""Between the records of the first batch and those of the second."""


@dataclass(frozen=True)
class Repository(FeastRepository):
    """The feature repository with the features of two batches, registered and materialized."""

    first: Oracle
    second: Oracle
    known: tuple[datetime, datetime]
    """When the rows of each batch were known."""
    batch: Published
    states: Mapping[str, str]
    """The second batch's view."""

    def load(self) -> None:
        """The online store holds the second batch's vectors, whatever was pushed."""
        self.materialize(self.known[1])

    def view(self, customers: Sequence[str]) -> dict[str, Vector]:
        """The second batch's vectors, by the oracle."""
        return {each: oracle_features(self.second, each, self.known[1].date()) for each in customers}

    def customers_of(self, partition: int) -> list[str]:
        """Each test that pushes has a partition's customers to itself."""
        return [each for each in self.second.customers() if partition_of(each, 4) == partition]


@pytest.fixture(scope="module")
def repository(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Two batches of a random log; the second one corrects the past of the first one's customers, two days later."""
    home = tmp_path_factory.mktemp("feast")
    settings = Settings(home=home / "home", batch=BatchSettings(buckets=1))
    job = without_servers(spark, settings)
    master.ensure(job)
    copy = FeastRepository.copied(home / "repository")
    log = random_log(SEED, 6_000, customers=1_150)
    later = int(BETWEEN.total_seconds() * 1e6)
    records = [
        record if number < 3_600 else record._replace(appended_at=record.appended_at + later)
        for number, record in enumerate(log.records)
    ]
    export_features(job, commit(job, records[:3_600]), 1)
    first = sync(job, copy.features).known_at
    batch = export_features(job, commit(job, records[3_600:]), 2)
    second = sync(job, copy.features).known_at
    made = Repository(
        copy.folder,
        Oracle(records[:3_600], 4),
        Oracle(records, 4),
        (first, second),
        batch,
        {row["customer_id"]: row["state"] for row in states_of(job, batch).collect()},
    )
    made.apply()
    made.load()
    return made


@dataclass
class Serving:
    """The API on the second batch's view, and its store."""

    url: str
    store: MemoryViewStore
    batch: Published

    def features(self, customers: Sequence[str], as_of: str | None = None) -> dict[str, Vector]:
        """What the API answers about known customers, as features."""
        asked = {"customer_ids": list(customers), **({"as_of": as_of} if as_of else {})}
        answered = httpx.post(f"{self.url}/v1/customers/metrics:batch-get", json=asked, timeout=60).json()
        return {
            each["customer_id"]: features_of(each["metrics"], each["profile"] or {}) for each in answered["results"]
        }

    def apply(self, customer: str, change: Delta, above: int = 0) -> str:
        """Stores a delta behind the cut, and returns the line by which `lambda360 watch --json` tells of it."""
        partition = partition_of(customer, 4)
        position = Position(partition, self.batch.plan.cut[partition] + above)
        self.store.put_delta(customer, position.offset, change)
        return as_json(decode_delta_event(delta_event(Copy(position, customer, change), logic_version())), None) + "\n"


@pytest.fixture
def serving(repository: Repository) -> Iterator[Serving]:
    now = micros_of(repository.known[1]) + 60_000_000
    store = MemoryViewStore(pointing_at(repository.batch))
    store.slots["a"] = {each: SlotRow(2, state) for each, state in repository.states.items()}
    cut = repository.batch.plan.cut
    store.progress_rows = {
        partition: progress(cut[partition] + 100, beat_at=now, caught_up_at=now) for partition in range(4)
    }
    with answering(store, now) as url:
        yield Serving(url, store, repository.batch)


def thousand(repository: Repository) -> list[str]:
    found = repository.second.customers()[:1_000]
    assert len(found) == 1_000
    return found


def test_the_vectors_of_a_thousand_customers_equal_the_batch_view(repository: Repository, serving: Serving) -> None:
    """To the cent and to the last bit of a rate, as of the day on which they were known; and the oracle's, too."""
    customers = thousand(repository)
    day = repository.known[1].date()

    vectors = repository.vectors(customers)

    assert vectors == serving.features(customers, as_of=str(day))
    assert vectors == repository.view(customers)
    assert len({str(vector) for vector in vectors.values()}) > 500


def test_a_point_in_time_join_gives_what_was_known_then(repository: Repository) -> None:
    """No leakage: what the second batch knew, late records and corrections of the past, is in no row before it."""
    customers = thousand(repository)
    first, second = repository.known
    moment = timedelta(microseconds=1)
    assert first.date() == datetime.fromtimestamp(APPENDED_AT / 1e6, tz=first.tzinfo).date()
    assert second - first > BETWEEN

    then = repository.vectors(customers, at=second - moment)

    before = repository.first.customers()
    known = {each: oracle_features(repository.first, each, first.date()) for each in customers if each in before}
    assert {each: vector for each, vector in then.items() if each in before} == known
    assert all(value is None for each, vector in then.items() if each not in before for value in vector.values())
    now = repository.vectors(customers, at=second)
    assert now == repository.view(customers)
    moved = [each for each in known if known[each]["total_revenue_cents"] != now[each]["total_revenue_cents"]]
    assert len(moved) > 100
    unknown = repository.vectors(customers[:5], at=first - moment)
    assert {value for vector in unknown.values() for value in vector.values()} == {None}


def test_a_pushed_delta_moves_a_vector_to_what_the_api_answers_and_no_other(
    repository: Repository, serving: Serving
) -> None:
    """R9, R24: an order, its repeated line, and an erasure, whose customer's features become null."""
    customers = repository.customers_of(0)
    buyer, gone = customers[17], customers[100]
    bought = serving.apply(buyer, delta(order(123_456, day=19_905), entity_id="new"), above=3)
    lines = bought + serving.apply(gone, delta(None), above=4) + bought

    pushed = repository.run("push.py", "--api", serving.url, told=lines)

    assert (pushed.returncode, pushed.stdout) == (0, "")
    before, after = repository.view(customers), repository.vectors(customers)
    assert after[buyer] == serving.features([buyer])[buyer]
    cents = before[buyer]["total_revenue_cents"]
    assert isinstance(cents, int)
    assert after[buyer]["total_revenue_cents"] == cents + 123_456
    assert set(after[gone].values()) == {None}
    others = set(customers) - {buyer, gone}
    assert {each: after[each] for each in others} == {each: before[each] for each in others}


def test_an_answer_that_is_not_exact_is_not_pushed(repository: Repository, serving: Serving) -> None:
    """R22: a short sum never looks like a good one, so the vector stays, and the exit code says so."""
    late, well = repository.customers_of(2)[0], repository.customers_of(1)[0]
    serving.store.progress_rows[2] = progress(0, beat_at=None, caught_up_at=None)
    lines = serving.apply(late, delta(order(500), entity_id="new")) + serving.apply(
        well, delta(order(700), entity_id="n")
    )

    pushed = repository.run("push.py", "--api", serving.url, told=lines)

    assert pushed.returncode == 1
    assert "error: 1 customers were not pushed: " in pushed.stderr
    before, after = repository.view([late, well]), repository.vectors([late, well])
    assert after[late] == before[late]
    assert after[well] == serving.features([well])[well] != before[well]


def test_a_materialization_behind_a_push_is_mended_by_pushing_from_the_cut_again(
    repository: Repository, serving: Serving
) -> None:
    """Feast writes what it is told last. So the deltas since the cut are pushed behind it (docs/features.md)."""
    customer = repository.customers_of(3)[0]
    line = serving.apply(customer, delta(order(4_200, day=19_905), entity_id="new"))
    assert repository.run("push.py", "--api", serving.url, told=line).returncode == 0
    repository.load()
    assert repository.vectors([customer]) == repository.view([customer])

    pushed = repository.run("push.py", "--api", serving.url, told=line)

    assert pushed.returncode == 0
    assert repository.vectors([customer]) == serving.features([customer]) != repository.view([customer])


def test_what_is_no_line_of_watch_and_an_api_that_is_away_are_told_without_a_traceback(repository: Repository) -> None:
    line = json.dumps({"type": "customer.delta", "customer_id": "ada", "time": "2024-07-01T00:00:00+00:00"}) + "\n"

    wrong = repository.run("push.py", told="no JSON\n")
    away = repository.run("push.py", "--api", "http://127.0.0.1:9", told=line)

    assert (wrong.returncode, wrong.stderr.splitlines()[-1]) == (
        1,
        "error: stdin: 'no JSON': a line of `lambda360 watch --json`",
    )
    assert away.returncode == 1
    assert "error: 1 customers were not pushed: the API does not answer" in away.stderr
    assert "Traceback" not in wrong.stderr + away.stderr
