"""R13 on real servers: rebuilds under reads and writes, what they mend, and processes that die or sleep meanwhile."""

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from msgspec.structs import replace

from batch_layer.run import run
from batch_layer.view import publish
from common.algebra.pointer import Pointer
from common.errors import ClaimLost
from common.servers import rollback
from common.tables import Tables
from infra.proof.comparison import Verdict
from infra.schema.generations import GenerationTables
from tests.support.builders import AS_OF, random_messages
from tests.support.dying import killed
from tests.support.harness import Child, wait_until
from tests.support.jobs import Jobs
from tests.support.rebuilding import KILLED_WHILE_BUILDING, generation, rebuilt, without_alerts
from tests.support.speed_fakes import fold, placed
from tests.support.speed_system import assert_published, cells, log_of, produce
from tests.support.stage import Load, Stage

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(900)]
PATIENCE = 240.0
RATE = 50.0
"""Records a second."""


def moved(scene: Stage, worker: Child, number: int) -> None:
    """The worker writes that generation."""
    wait_until(lambda: f"generation={number}" in worker.tail(50_000), PATIENCE, f"it moves: see {worker.output}")


@contextmanager
def looked_at(scene: Stage) -> Iterator[list[Verdict]]:
    """Every answer is asked for again and again; the verdicts are complete at the end."""
    ending, verdicts = threading.Event(), list[Verdict]()

    def look() -> None:
        while not ending.is_set():
            verdicts.append(scene.check(AS_OF))

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        try:
            yield verdicts
        finally:
            ending.set()
            looking.result()


def assert_exact(scene: Stage) -> None:
    """Everything is applied, and every answer is exact."""
    scene.wait_applied(scene.ends())
    wait_until(lambda: scene.check(AS_OF).right, PATIENCE, f"every answer is exact: {scene.check(AS_OF)}", every=1.0)


def assert_as_workers_would_have(scene: Stage, number: int) -> None:
    """Every fact and delta of the generation is the fold's, with its timestamp (R10, R11)."""
    assert without_alerts(cells(scene.session, number)) == without_alerts(fold(placed(log_of(scene.settings))))


def test_r13_a_rebuild_under_reads_and_writes_leaves_every_answer_right(scene: Stage, scene_jobs: Jobs) -> None:
    """R14, R22: no answer is wrong meanwhile, all are exact afterwards, and every copy is on its topic."""
    worker = scene.start("speed", "run")
    produce(scene.settings, random_messages(seed=51, count=800, customers=60))
    scene.wait_applied(scene.ends())
    load = Load(scene.settings, random_messages(52, 1_000_000, customers=60), RATE)
    load.start()
    with looked_at(scene) as verdicts:
        done = rebuilt(scene_jobs)
        moved(scene, worker, 2)
    load.end()

    assert (done.generation, done.left, generation(scene)) == (2, 1, 2)
    assert len(verdicts) > 1
    assert [verdict.first_difference for verdict in verdicts if verdict.wrong] == []
    assert_exact(scene)
    assert_as_workers_would_have(scene, 2)
    assert_published(scene.settings, scene.session)
    assert worker.stop() == 0, worker.tail()


def test_r13_a_rebuild_mends_what_is_wrong_and_a_rollback_never_brings_it_back(scene: Stage, scene_jobs: Jobs) -> None:
    """R17, R18: a lost delta, a wrong fact and a mark; batches before and after the switch can be rolled back to."""
    worker = scene.start("speed", "run")
    produce(scene.settings, random_messages(seed=53, count=300))
    scene.wait_applied(scene.ends())
    assert run(scene_jobs()) is not None
    produce(scene.settings, random_messages(seed=54, count=300))
    assert_exact(scene)
    spoil(scene)
    assert scene.check(AS_OF).wrong > 0

    rebuilt(scene_jobs)
    moved(scene, worker, 2)

    assert_exact(scene)
    assert not publish.read(scene.session).marked
    assert run(scene_jobs()) is not None
    for _ in range(2):
        rollback.roll_back(scene.session, rollback.planned_rollback(scene.session, None))
        assert generation(scene) == 2
        assert_exact(scene)
        rollback.roll_back(scene.session, rollback.planned_rollback(scene.session, 2))
    produce(scene.settings, random_messages(seed=55, count=50))
    rebuilt(scene_jobs)
    moved(scene, worker, 3)
    assert GenerationTables(scene.session).existing() == {2, 3}, "the former one's are kept"
    assert_exact(scene)


def spoil(scene: Stage) -> None:
    """Deltas are gone, facts say something else, and some customer is marked."""
    rows = list(scene.session.execute("SELECT customer_id, kafka_offset FROM speed_deltas"))
    for row in rows[::3]:
        scene.session.execute(
            "DELETE FROM speed_deltas WHERE customer_id = %s AND kafka_offset = %s", (row.customer_id, row.kafka_offset)
        )
    scene.session.execute("TRUNCATE speed_facts")

    def mark(before: Pointer) -> Pointer:
        return replace(before, marked=True)

    publish.transition(scene.session, mark)


def test_r11_the_tables_of_a_generation_are_declared_as_the_first_ones(scene: Stage) -> None:
    GenerationTables(scene.session).make(7)
    first, own = Tables(1), Tables(7)

    def declared(table: str) -> list[dict[str, object]]:
        found = []
        for kind, skipped in (("tables", {"id", "table_name"}), ("columns", {"table_name"})):
            rows = scene.session.execute(
                f"SELECT * FROM system_schema.{kind} WHERE keyspace_name = %s AND table_name = %s",
                (scene.settings.cassandra.keyspace, table),
            )
            found += [{k: v for k, v in row._asdict().items() if k not in skipped} for row in rows]
        return found

    for one, other in ((first.facts, own.facts), (first.deltas, own.deltas)):
        assert declared(one) == declared(other)
        assert len(declared(one)) > 3


def test_r13_a_killed_rebuild_changes_nothing_and_the_next_one_takes_the_next_number(
    scene: Stage, scene_jobs: Jobs
) -> None:
    """Of two at once, too, the one that began last wins, and the other says so."""
    worker = scene.start("speed", "run")
    produce(scene.settings, random_messages(seed=56, count=2000, customers=300))
    assert_exact(scene)
    killed(scene.settings, KILLED_WHILE_BUILDING)
    assert generation(scene) == 1
    assert_exact(scene)

    with pytest.raises(ClaimLost, match="generation 3 was overtaken by another one; generation 4 is served"):
        rebuilt(scene_jobs, lambda step: None if step != "tables" else _once(scene_jobs))

    moved(scene, worker, 4)
    assert GenerationTables(scene.session).existing() == {4}
    assert_exact(scene)
    assert_as_workers_would_have(scene, 4)


def _once(jobs: Jobs) -> None:
    rebuilt(jobs)


def test_r13_an_old_worker_that_sleeps_over_the_switch_harms_nothing(scene: Stage, scene_jobs: Jobs) -> None:
    """R12: it goes on in the tables that were left, notices, and moves over."""
    sleeper = scene.start("speed", "run", name="sleeper")
    produce(scene.settings, random_messages(seed=57, count=300))
    scene.wait_applied(scene.ends())
    sleeper.signal_group(signal.SIGSTOP)
    produce(scene.settings, random_messages(seed=58, count=300))
    rebuilt(scene_jobs)
    other = scene.start("speed", "run", name="other")
    assert_exact(scene)
    before = cells(scene.session, 2)

    sleeper.signal_group(signal.SIGCONT)
    moved(scene, sleeper, 2)

    assert without_alerts(cells(scene.session, 2)) == without_alerts(before)
    produce(scene.settings, random_messages(seed=59, count=100))
    assert_exact(scene)
    assert_as_workers_would_have(scene, 2)
    assert_published(scene.settings, scene.session)
    assert other.stop() == 0
