"""R19 on real servers: steps that resume, one run at a time, and runs that end where an operator says."""

from pathlib import Path

import pytest

from batch_layer import manifest as manifests
from batch_layer.manifest import Status, Step
from batch_layer.owner import LEASE_SECONDS
from batch_layer.run import run
from batch_layer.view import publish
from common.errors import ClaimLost, UsageError
from common.log.position import Position
from common.servers.kafka import end_offsets
from tests.support.batch_system import expected, produce, served
from tests.support.builders import order, random_messages
from tests.support.dying import Died, dying_after
from tests.support.jobs import Jobs

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def die(jobs: Jobs, step: str) -> None:
    with pytest.raises(Died):
        run(jobs(dying_after(step)))


def test_a_run_that_died_goes_on_from_its_open_step(jobs: Jobs) -> None:
    """R19: the manifest names the open step; what was done before is not done again; the id stays."""
    produce(jobs.settings, random_messages(seed=51, count=80))
    open_steps = []
    for step in ("archive", "claim", "recompute and load", "audit"):
        die(jobs, step)
        (found,) = manifests.manifests(jobs.session)
        open_steps.append((found.step, found.status, found.attempt))
    assert open_steps == [
        (Step.ARCHIVE, Status.RUNNING, 1),
        (Step.GATE, Status.RUNNING, 2),
        (Step.LOAD, Status.RUNNING, 3),
        (Step.AUDIT, Status.RUNNING, 4),
    ]
    jobs.told.clear()

    done = run(jobs())

    assert done is not None
    assert done.batch_id == 1
    assert [line.split(":")[0] for line in jobs.told] == ["audit", "publish", "export", "notify"]
    assert served(jobs) == expected(jobs.settings, done.plan.cut)
    (last,) = manifests.manifests(jobs.session)
    assert (last.step, last.status, last.attempt, last.rows) == (Step.FINISH, Status.PUBLISHED, 5, done.rows)


def test_a_run_that_died_behind_its_switch_is_finished_though_nothing_is_new(jobs: Jobs) -> None:
    """R19: the manifest is at its end then, and the view stays as it is."""
    produce(jobs.settings, [order("ada", "o1")])
    die(jobs, "publish")
    assert manifests.manifests(jobs.session)[0].step is Step.PUBLISH
    before = publish.read(jobs.session)

    assert run(jobs()) is None

    (last,) = manifests.manifests(jobs.session)
    assert (last.step, last.status) == (Step.FINISH, Status.PUBLISHED)
    assert publish.read(jobs.session) == before


def test_resume_takes_up_the_plan_as_it_was_and_a_plain_run_the_log_as_it_is(jobs: Jobs) -> None:
    """R19: the log grew after the run died; its plan does not."""
    settings = jobs.settings
    produce(settings, random_messages(seed=52, count=60))
    ends = dict(end_offsets(settings, 4))
    die(jobs, "claim")
    produce(settings, random_messages(seed=53, count=60))

    resumed = run(jobs(), resume=1)

    assert resumed is not None
    assert (resumed.batch_id, resumed.plan.cut.offsets) == (1, ends)
    assert served(jobs) == expected(settings, resumed.plan.cut)

    die(jobs, "claim")
    produce(settings, random_messages(seed=54, count=60))
    plain = run(jobs())
    assert plain is not None
    assert (plain.batch_id, plain.plan.cut.offsets) == (3, dict(end_offsets(settings, 4)))
    assert served(jobs) == expected(settings, plain.plan.cut)
    assert {run.batch_id: run.status for run in manifests.manifests(jobs.session)} == {
        3: Status.PUBLISHED,
        2: Status.ABANDONED,
        1: Status.PUBLISHED,
    }


def test_what_cannot_be_resumed_is_refused_with_the_reason(jobs: Jobs) -> None:
    produce(jobs.settings, [order("ada", "o1")])
    with pytest.raises(UsageError, match="--resume: 7: a run that was begun; there are: none yet"):
        run(jobs(), resume=7)
    die(jobs, "archive")
    publish.begin(jobs.session)
    with pytest.raises(ClaimLost, match="a later run took the place of batch 1"):
        run(jobs(), resume=1)
    done = run(jobs())
    assert done is not None
    assert done.batch_id == 3
    with pytest.raises(UsageError, match="a run that is not at its end; this one is published"):
        run(jobs(), resume=3)


def test_a_second_run_at_the_same_time_names_the_first_and_changes_nothing(jobs: Jobs, tmp_path: Path) -> None:
    """R19: on the same machine by the home's lock, elsewhere by the lease."""
    produce(jobs.settings, [order("ada", "o1")])
    elsewhere = Jobs(jobs.spark, jobs.session, jobs.settings.model_copy(update={"home": tmp_path}))
    refused: list[str] = []

    def second(step: str) -> None:
        if step == "claim":
            for other in (jobs, elsewhere):
                with pytest.raises(ClaimLost) as caught:
                    run(other())
                refused.append(str(caught.value))

    done = run(jobs(second))

    assert done is not None
    here, there = refused
    assert here.startswith("another run is at work on this machine: process ")
    assert there.startswith("another run is at work: ")
    seconds = int(there.rsplit(" ", 2)[1])
    assert 0 < seconds <= LEASE_SECONDS
    assert run(jobs()) is None, "the lease ended with its run"


def test_a_run_ends_at_the_offsets_that_are_named_and_the_next_one_goes_on_from_there(jobs: Jobs) -> None:
    """R8, R16: the master may hold more than the cut; partitions that are not named end at their end."""
    settings = jobs.settings
    produce(settings, random_messages(seed=55, count=200, customers=30))
    ends = dict(end_offsets(settings, 4))
    partition = max(ends, key=lambda each: ends[each])
    half = Position(partition, ends[partition] // 2)

    first = run(jobs(), until=(half,))

    assert first is not None
    assert first.plan.cut.offsets == {**ends, partition: half.offset}
    assert served(jobs) == expected(settings, first.plan.cut)
    with pytest.raises(UsageError, match="not below the current batch's cut"):
        run(jobs(), until=(Position(partition, half.offset - 1),))
    assert run(jobs(), until=(half,)) is None

    whole = run(jobs())
    assert whole is not None
    assert whole.plan.cut.offsets == ends
    again = run(jobs(), force=True)
    assert again is not None
    assert again.checksum == whole.checksum
