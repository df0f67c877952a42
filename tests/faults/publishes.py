"""Readers at full speed while batches are published and rolled back, and the log grows (R17, R20, R23)."""

import tempfile
import time
from pathlib import Path
from typing import Final

from batch_layer.run import run
from batch_layer.session import spark_session
from common.servers import rollback
from infra.paths import JARS
from tests.faults.story import Outcome, Story
from tests.support.builders import AS_OF
from tests.support.crowd import Heard, crowd, heard
from tests.support.harness import wait_until
from tests.support.jobs import Jobs

ROUNDS: Final = 20
READERS: Final = 2
RATE: Final = 50.0
READ_SECONDS: Final = 1.0
"""How long each batch is read before it is left."""


def publishes(story: Story) -> None:
    """ROUNDS publishes, each rolled back, with readers and ingest at work; the publishes share one Spark."""
    scene = story.scene
    load = story.load(RATE)
    wait_until(lambda: load.sent > 1000, 120, "the load has begun")
    scene.oracle.extend(scene.log.refresh())
    customers = scene.oracle.mentioned
    with tempfile.TemporaryDirectory() as folder, spark_session(scene.settings, JARS / "spark") as spark:
        jobs = Jobs(spark, scene.session, scene.settings)
        run(jobs())
        with crowd(scene.url, customers, Path(folder), READERS) as readers:
            for _ in range(ROUNDS):
                run(jobs())
                time.sleep(READ_SECONDS)
                rollback.roll_back(scene.session, rollback.planned_rollback(scene.session, None))
                time.sleep(READ_SECONDS)
            lag, ends = scene.lag(), scene.ends()
        sent, right_after = load.end(), story.right_after(time.monotonic(), ends)
        scene.oracle.extend(scene.log.refresh())
        found = heard(readers, scene.oracle)
    rest = scene.check(AS_OF)
    fault = f"{ROUNDS} publishes, {ROUNDS} rollbacks"
    story.outcomes.append(Outcome(fault, lag, right_after, sent, found.verdict, rest))
    _tell(story, found, readers.seconds)


def _tell(story: Story, found: Heard, seconds: float) -> None:
    verdict = found.verdict
    story.console.print(
        f"{READERS} readers, {seconds:.0f} s: {found.responses} responses ({found.responses / seconds:.0f}/s), "
        f"{verdict.customers} answers ({verdict.customers / seconds:.0f}/s) from {len(found.batches)} batches; "
        f"the batch changed {found.moves} times before a reader; {found.refused} refused, {found.torn} torn, "
        f"{verdict.wrong} wrong, {verdict.degraded} degraded {dict(verdict.reasons)}"
    )
    assert found.torn == 0
    assert found.moves >= ROUNDS * READERS, "the readers did not see what was done"
    if verdict.first_difference:
        story.console.print(verdict.first_difference)
