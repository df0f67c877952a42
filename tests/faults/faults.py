"""The faults: each done under load, with the speed layer behind the log at that moment."""

import signal
import time
from typing import Final

from tests.faults.story import Story
from tests.support import one_server
from tests.support.harness import Child, wait_until

STOPPED_SECONDS: Final = 60.0
CASSANDRA_SECONDS: Final = 300.0
BROKER_SECONDS: Final = 120.0
REBALANCE_SECONDS: Final = 300.0
REBALANCE_EVERY_SECONDS: Final = 15.0
SLOW: Final = 150.0
"""Records a second while a server is away for minutes: what has gathered has to be applied afterwards, too."""


def kill(story: Story) -> None:
    """A worker killed with SIGKILL, and another put in its place at once."""
    load, victim = story.load(), story.rng.randrange(len(story.workers))
    wait_until(lambda: load.sent > story.rng.randrange(200, 3000), 60, "the load has begun", every=0.05)
    lag, ends, at = story.behind(), story.scene.ends(), time.monotonic()
    story.workers.pop(victim).kill()
    story.start_worker()
    story.judge("SIGKILL", load, lag, story.right_after(at, ends))


def stop_and_continue(story: Story) -> None:
    """A worker stopped for longer than the session time, a replacement, and then the zombie beside it."""
    load = story.load()
    lag, ends, at = story.behind(), story.scene.ends(), time.monotonic()
    zombie = story.workers[0]
    zombie.signal_group(signal.SIGSTOP)
    replacement = story.start_worker()
    right_after = story.right_after(at, ends)
    wait_until(lambda: time.monotonic() - at > STOPPED_SECONDS, 2 * STOPPED_SECONDS, "the time is over")
    story.behind()
    zombie.signal_group(signal.SIGCONT)
    story.judge(f"SIGSTOP {STOPPED_SECONDS:.0f} s, SIGCONT", load, lag, right_after)
    _leave(story, replacement)


def cassandra_away(story: Story) -> None:
    """Cassandra stopped, and back: the workers wait and are the same ones afterwards."""
    _server_away(story, "cassandra", CASSANDRA_SECONDS)


def broker_away(story: Story) -> None:
    """Kafka's broker stopped, and back."""
    _server_away(story, "kafka", BROKER_SECONDS)


def rebalances(story: Story) -> None:
    """A worker that comes and goes: every assignment changes, again and again."""
    load = story.load()
    lag, began = story.behind(), time.monotonic()
    rounds = 0
    while time.monotonic() - began < REBALANCE_SECONDS:
        _wait_for(began + rounds * REBALANCE_EVERY_SECONDS)
        if rounds % 2:
            _leave(story, story.workers[-1])
        else:
            story.join()
        rounds += 1
    if rounds % 2:
        _leave(story, story.workers[-1])
    right_after = story.right_after(time.monotonic())
    story.judge(f"{rounds} rebalances in {REBALANCE_SECONDS:.0f} s", load, lag, right_after)


def _server_away(story: Story, name: str, seconds: float) -> None:
    load = story.load(SLOW)
    lag = story.behind()
    before = [worker.process.pid for worker in story.workers]
    one_server.stop(story.servers, name)
    _wait_for(time.monotonic() + seconds)
    one_server.start(story.servers, name)
    right_after = story.right_after(time.monotonic())
    assert [worker.process.pid for worker in story.workers if worker.process.poll() is None] == before
    story.judge(f"{name} away {seconds:.0f} s", load, lag, right_after)


def _leave(story: Story, worker: Child) -> None:
    story.workers.remove(worker)
    assert worker.stop() == 0, worker.tail()


def _wait_for(moment: float) -> None:
    """Until a moment of the monotonic clock."""
    time.sleep(max(0.0, moment - time.monotonic()))
