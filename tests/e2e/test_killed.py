"""The whole system end to end, with processes killed in mid-flight (R10, R12, R19, R22, R23)."""

import signal
from random import Random

import pytest

from common.settings import Settings, SpeedSettings
from tests.support.builders import AS_OF, random_messages
from tests.support.harness import Child, wait_until
from tests.support.stage import Load, Stage, stage

RATE = 400.0
"""Records a second, until the test ends the load."""


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_answer_stays_exact_when_workers_are_killed_twice_and_the_batch_once(stack: Settings) -> None:
    """R10, R12, R19, R22: two SIGKILLs of the speed worker and one of the batch; nothing wrong, then all exact."""
    speed = SpeedSettings(session_timeout_seconds=6.0, breaker_recovery_seconds=5.0)
    with stage(stack, speed=speed) as scene:
        load = Load(scene.settings, random_messages(7, 1_000_000, customers=400), RATE)
        load.start()
        worker = _killed_while_behind(scene, scene.start("speed", "run"), Random(1))
        _batch_killed_while_loading(scene)
        worker = _killed_while_behind(scene, worker, Random(2))

        assert scene.check(AS_OF).wrong == 0, "while the load goes on"
        load.end()
        scene.wait_applied(scene.ends())
        speed_only = scene.check(AS_OF)
        scene.start("batch", "run").finish(300)
        merged = scene.check(AS_OF)

        for verdict in (speed_only, merged):
            assert verdict.right, (verdict.first_difference, verdict.reasons)
        assert speed_only.sources["speed only"] > 0
        assert merged.sources["batch only"] > 0
        assert worker.stop() == 0


def _killed_while_behind(scene: Stage, worker: Child, rng: Random) -> Child:
    """The replacement of `worker`, which was killed at a random moment with the speed layer behind the log."""
    wait_until(lambda: sum(scene.progress().values()) > rng.randrange(100, 1200), 120, "records are applied")
    wait_until(lambda: scene.lag() > 0, 60, "the speed layer is behind", every=0.01)
    worker.kill()
    return scene.start("speed", "run")


def _batch_killed_while_loading(scene: Stage) -> None:
    """A batch run killed once it has claimed its slot: the pointer has no current batch yet."""
    batch = scene.start("batch", "run")
    claimed = "SELECT value FROM batch_pointer WHERE name = 'current'"
    wait_until(lambda: bool(list(scene.session.execute(claimed))), 400, "the batch claims a slot", every=0.02)
    batch.signal_group(signal.SIGKILL)
    batch.process.wait()
