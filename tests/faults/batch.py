"""Faults of the batch layer: its driver killed with SIGKILL at every step of a run, and at random moments (R19)."""

import signal
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from batch_layer import manifest as manifests
from batch_layer.manifest import Manifest, Status, Step
from batch_layer.view import publish
from tests.faults.story import PATIENCE_SECONDS, Story
from tests.support.batch_system import rows_of
from tests.support.harness import Child, wait_until
from tests.support.model import batch_rows

RATE: Final = 50.0
"""Records a second: each run recomputes all that was ever sent."""
ATTEMPTS: Final = 5
"""Runs that are tried until one is caught at the step: some steps take milliseconds."""
_SLICE_SECONDS: Final = 0.005


_RESUMED: Final = (Step.ARCHIVE, Step.GATE, Step.LOAD, Step.AUDIT)
"""The steps at which a run is not published yet, and has an id: it is taken up by that, with the plan that it had."""


def killed_at_every_step(story: Story) -> None:
    """The driver killed at each step in turn, and then a clean run, whose view is the same to the byte."""
    for step in Step:
        _killed(story, f"batch killed at {step}", partial(_caught, story, step=step), resumed=_RESUMED)
    story.console.print(_clean(story))


def killed_at_random(story: Story) -> None:
    """The driver killed at a random moment of a run."""
    _killed(story, "batch killed at random", partial(_at_random, story))


def finished(story: Story, *options: str) -> float:
    """The seconds of a run that ends well, under load; its view is the fold of the log below its cut, to the byte."""
    started = time.monotonic()
    story.scene.start("batch", "run", *options).finish(PATIENCE_SECONDS)
    seconds = time.monotonic() - started
    current = publish.read(story.scene.session).published
    assert current is not None
    story.scene.oracle.extend(story.scene.log.refresh())
    folded = batch_rows(story.scene.log.records, current.plan.cut.offsets, story.scene.partitions)
    assert rows_of(story.scene.session, current) == {customer: row.to_json() for customer, row in folded.items()}
    return seconds


def _killed(story: Story, fault: str, killed: Callable[[], Manifest | None], resumed: Sequence[Step] = ()) -> None:
    """One kill under load; the next run, which finishes; and all answers."""
    load = story.load(RATE)
    if story.batch_seconds is None:
        story.batch_seconds = finished(story)
    before = publish.read(story.scene.session).published
    left = killed()
    if left is None or left.step.number < Step.PUBLISH.number:
        assert publish.read(story.scene.session).published == before, f"{fault}: {left}"
    lag = story.scene.lag()
    options = ("--resume", str(left.batch_id)) if left is not None and left.step in resumed else ()
    story.batch_seconds = finished(story, *options)
    if left is not None:
        ended = {run.batch_id: run.status for run in manifests.manifests(story.scene.session)}
        wanted = {Status.PUBLISHED} if options else {Status.PUBLISHED, Status.ABANDONED}
        assert ended[left.batch_id] in wanted, ended
    story.judge(fault, load, lag, story.batch_seconds)


def _caught(story: Story, *, step: Step) -> Manifest | None:
    """Kills runs until one is killed with the step open in its manifest, and returns that manifest.

    A run that plans has no manifest yet.
    """
    for _ in range(ATTEMPTS):
        known = _newest(story)
        batch = story.scene.start("batch", "run")
        if step is Step.PLAN:
            begun = partial(_has_begun, batch)
            wait_until(begun, PATIENCE_SECONDS, f"{batch.output}: Spark is there", every=_SLICE_SECONDS)
        else:
            _watch(story, batch, known, step)
        _kill(batch)
        left = _shown(story, known)
        if left is None and step is Step.PLAN:
            return None
        if left is not None and (left.step, left.status) == (step, Status.RUNNING):
            return left
        story.console.print(f"{batch.output.name} was not caught at {step}")
    raise AssertionError(f"no run of {ATTEMPTS} could be killed at {step}")


def _watch(story: Story, batch: Child, known: tuple[int, int], step: Step) -> None:
    """Returns once the run's manifest shows `step` or a later one, or the run has ended."""
    while batch.process.poll() is None:
        shown = _shown(story, known)
        if shown is not None and shown.step.number >= step.number:
            return
        closely = shown is not None and shown.step.number == step.number - 1
        _let_run(batch, closely=closely)


def _has_begun(batch: Child) -> bool:
    return "start Spark" in batch.output.read_text(errors="replace") or batch.process.poll() is not None


def _at_random(story: Story) -> Manifest | None:
    """Kills a run at a random moment, and returns the manifest that it left; None if it wrote none yet."""
    assert story.batch_seconds is not None
    moment = time.monotonic() + story.rng.uniform(0.0, story.batch_seconds)
    known = _newest(story)
    batch = story.scene.start("batch", "run")
    wait_until(lambda: time.monotonic() > moment or batch.process.poll() is not None, PATIENCE_SECONDS, "the moment")
    _kill(batch)
    left = _shown(story, known)
    story.console.print(f"killed at {'no step yet' if left is None else f'{left.step}, {left.status}'}")
    return left


def _let_run(batch: Child, *, closely: bool) -> None:
    """Lets the run go on for a moment; where the next step is the one, it stands still until it is looked at again."""
    if closely:
        batch.signal_group(signal.SIGCONT)
    time.sleep(_SLICE_SECONDS)
    if closely:
        batch.signal_group(signal.SIGSTOP)


def _kill(batch: Child) -> None:
    batch.signal_group(signal.SIGKILL)
    batch.process.wait()


def _newest(story: Story) -> tuple[int, int]:
    """The id and the attempt of the newest run."""
    found = next(iter(manifests.manifests(story.scene.session)), None)
    return (0, 0) if found is None else (found.batch_id, found.attempt)


def _shown(story: Story, known: tuple[int, int]) -> Manifest | None:
    """The manifest of the run that began since the newest was `known`."""
    found = next(iter(manifests.manifests(story.scene.session)), None)
    return found if found is not None and (found.batch_id, found.attempt) > known else None


def _clean(story: Story) -> str:
    """Without load, an undisturbed run of the same plan gives the same rows in another slot; says what was compared."""
    finished(story)
    first = publish.read(story.scene.session).published
    story.scene.start("batch", "run", "--force").finish(PATIENCE_SECONDS)
    second = publish.read(story.scene.session).published
    assert first is not None
    assert second is not None
    assert (first.plan, first.checksum) == (second.plan, second.checksum)
    assert rows_of(story.scene.session, first) == rows_of(story.scene.session, second)
    return f"batch {second.batch_id}, a clean run, equals batch {first.batch_id} to the byte: {second.rows} rows"
