"""R17 and R19: a run that dies at any step, and two runs at once, on real servers."""

from pathlib import Path

import pytest

from batch_layer.run import run
from batch_layer.view import publish
from common.algebra.pointer import Published
from common.errors import ClaimLost
from tests.support.batch_system import expected, produce, served
from tests.support.builders import order, random_messages
from tests.support.dying import Died, dying_after, killed
from tests.support.jobs import Jobs

pytestmark = [pytest.mark.spark, pytest.mark.slow]

KILLED_WHILE_LOADING = """
import os, signal, sys, threading, time
from batch_layer.job import Job
from batch_layer.run import run
from batch_layer.session import spark_session
from common.servers.cassandra import connected
from common.settings import load_settings
from infra.paths import JARS

settings = load_settings(os.environ)

def die_at_the_first_row(slot):
    with connected(settings) as session:
        while session.execute(f"SELECT customer_id FROM batch_view_{slot} LIMIT 1").one() is None:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)

def report(step, figures, seconds):
    if step == "claim":
        threading.Thread(target=die_at_the_first_row, args=(figures[-1],)).start()

with connected(settings) as session, spark_session(settings, JARS / "spark") as spark:
    run(Job(settings, spark, session, clock=lambda: time.time_ns() // 1000, report=report))
"""


def finished(jobs: Jobs) -> Published:
    done = run(jobs())
    assert done is not None
    return done


def test_a_run_that_dies_after_any_step_changes_nothing_and_the_next_one_finishes_it(jobs: Jobs) -> None:
    """R19: the same command finishes it, under the same batch id once there is a claim."""
    settings = jobs.settings
    produce(settings, random_messages(seed=31, count=60))
    first = run(jobs())
    assert first is not None
    before, view = publish.read(jobs.session), served(jobs)
    produce(settings, random_messages(seed=32, count=60))
    for step in ("archive", "claim", "recompute and load", "audit"):
        with pytest.raises(Died):
            run(jobs(dying_after(step)))
        assert publish.read(jobs.session).published == before.published
        assert served(jobs) == view
    done = run(jobs())
    assert done is not None
    assert done.batch_id == 2
    assert served(jobs) == expected(settings, done.plan.cut) != view

    produce(settings, random_messages(seed=33, count=60))
    with pytest.raises(Died):
        run(jobs(dying_after("publish")))
    last = publish.read(jobs.session).published
    assert last is not None
    assert last.batch_id == 3
    assert served(jobs) == expected(settings, last.plan.cut)
    assert run(jobs()) is None


@pytest.mark.timeout(900)
def test_a_run_killed_while_it_writes_its_rows_is_finished_by_the_next_one(jobs: Jobs) -> None:
    """R19: SIGKILL to the process, rows of the unpublished batch in the slot."""
    settings = jobs.settings
    produce(settings, [order(f"c{n}", "o1") for n in range(8_000)])
    killed(settings, KILLED_WHILE_LOADING)
    left = publish.read(jobs.session)
    assert left.published is None
    (claim,) = left.claims
    assert claim.batch_id == 1
    done = run(jobs())
    assert done is not None
    assert (done.batch_id, done.rows, done.plan) == (1, 8_000, claim.plan)
    assert served(jobs) == expected(settings, done.plan.cut)


def test_of_two_runs_of_the_same_log_one_wins_and_the_other_says_so(jobs: Jobs, tmp_path: Path) -> None:
    """R17, R19: one was paused beyond its lease; both load the same batch into the same slot; one publishes it."""
    settings = jobs.settings
    produce(settings, random_messages(seed=41, count=40))
    winners: list[Published] = []
    with pytest.raises(ClaimLost, match=r"batch 1 lost slot 'a' to another run|another run took this one over"):
        run(jobs(lambda step: winners.append(finished(jobs.elsewhere(tmp_path))) if step == "claim" else None))
    assert publish.read(jobs.session).published == winners[0]
    assert served(jobs) == expected(settings, winners[0].plan.cut)


@pytest.mark.parametrize("step", ["archive", "claim", "audit"])
def test_a_run_that_another_one_with_more_of_the_log_overtakes_says_so(jobs: Jobs, tmp_path: Path, step: str) -> None:
    """R17, R19: wherever it was paused beyond its lease; what the other one published stands."""
    settings = jobs.settings
    produce(settings, random_messages(seed=42, count=40))
    winners: list[Published] = []

    def at(done: str) -> None:
        if done == step:
            produce(settings, random_messages(seed=43, count=40))
            winners.append(finished(jobs.elsewhere(tmp_path)))

    with pytest.raises(ClaimLost):
        run(jobs(at))
    assert publish.read(jobs.session).published == winners[0]
    assert served(jobs) == expected(settings, winners[0].plan.cut)
