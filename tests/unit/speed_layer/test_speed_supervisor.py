"""The supervisor of several workers, on processes that are made up: restarts, give-ups, and one after another."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from infra.operate.workers.supervisor import MOST_FAILURES, TEMPORARY, Supervisor
from tests.support.logs import lines_of


@dataclass
class FakeChild:
    """A process that ends when the test says so; `got` are the signals it was sent."""

    pid: int
    code: int | None = None
    got: list[int] = field(default_factory=list)

    def poll(self) -> int | None:
        return self.code

    def send_signal(self, sig: int, /) -> None:
        self.got.append(sig)


Said = Callable[[], list[str]]


@pytest.fixture
def said() -> Iterator[Said]:
    """What the supervisor has logged so far, each event as `event=… key=value …`."""
    with capture_logs() as events:
        yield lambda: lines_of(events)


class Scene:
    """A supervisor with two posts, a clock, and the processes that it started; it is their nursery, too."""

    def __init__(self, workers: int = 2) -> None:
        self.now, self.children = 0.0, list[FakeChild]()
        self.settled, self.waiting, self.succeeds = set[int](), set[int](), dict[int, int | None]()
        self.missing = False
        """Whether the command is not there: a release is being installed, or memory is short."""
        self.supervisor = Supervisor(self, workers=workers, patience_seconds=10, clock=lambda: self.now)
        self.supervisor.tick()

    def start(self, succeed: int | None = None) -> FakeChild:
        if self.missing:
            raise FileNotFoundError(2, "No such file or directory", "lambda360")
        child = FakeChild(len(self.children))
        self.children.append(child)
        self.succeeds[child.pid] = succeed
        return child

    def seat_of(self, pid: int) -> int | None:
        return 10 + pid if pid in self.settled else None

    def is_settled(self, pid: int) -> bool:
        return pid in self.settled

    def is_waiting(self, pid: int) -> bool:
        return pid in self.waiting

    def tick(self, seconds: float = 0.0) -> None:
        self.now += seconds
        self.supervisor.tick()

    def settle(self, *children: FakeChild) -> None:
        self.settled |= {child.pid for child in children}
        self.tick()


def test_every_place_is_filled() -> None:
    assert len(Scene(3).children) == 3


def test_a_worker_that_died_is_replaced_at_once_and_then_after_growing_pauses() -> None:
    scene = Scene(1)
    for pause in (0.0, 1.0, 2.0, 4.0):
        scene.children[-1].code = -signal.SIGKILL
        before = len(scene.children)
        scene.tick()
        if pause:
            scene.tick(pause - 0.5)
            assert len(scene.children) == before
        scene.tick(0.5)
        assert len(scene.children) == before + 1


def test_a_worker_that_fails_again_and_again_is_given_up_and_the_rest_go_on(said: Said) -> None:
    scene = Scene()
    for _ in range(MOST_FAILURES + 3):
        scene.children[-1].code = 1
        scene.tick()
        scene.tick(60.0)
    assert len(scene.children) == 1 + MOST_FAILURES
    assert not scene.supervisor.ended
    assert "action=give_up" in said()[-1]


def test_a_worker_that_settled_between_two_failures_is_never_given_up() -> None:
    scene = Scene(1)
    for _ in range(MOST_FAILURES * 2):
        scene.settle(scene.children[-1])
        scene.children[-1].code = 1
        scene.tick()
        scene.tick(60.0)
    assert len(scene.children) == 1 + MOST_FAILURES * 2


def test_a_server_that_is_away_at_the_start_is_waited_for() -> None:
    scene = Scene(1)
    for _ in range(MOST_FAILURES * 2):
        scene.children[-1].code = TEMPORARY
        scene.tick()
        scene.tick(60.0)
    assert len(scene.children) == 1 + MOST_FAILURES * 2
    assert os.EX_TEMPFAIL == TEMPORARY


def test_a_worker_that_somebody_stopped_stays_stopped() -> None:
    scene = Scene(1)
    scene.children[0].code = 0
    scene.tick()
    assert scene.supervisor.ended
    assert len(scene.children) == 1


def test_a_stop_reaches_every_worker_and_kills_what_does_not_listen() -> None:
    scene = Scene()
    scene.supervisor.stop_asked = True
    scene.tick()
    assert [child.got for child in scene.children] == [[signal.SIGTERM]] * 2
    scene.children[0].code = 0
    scene.tick(10.0)
    assert scene.children[1].got[-1] == signal.SIGKILL
    scene.children[1].code = -9
    scene.tick()
    assert scene.supervisor.ended
    assert len(scene.children) == 2


def rolling() -> tuple[Scene, FakeChild, FakeChild, FakeChild]:
    """A rolling restart that has just begun: two workers, and the first one's successor."""
    scene = Scene()
    one, two = scene.children
    scene.settle(one, two)
    scene.supervisor.restart_asked = True
    scene.tick()
    return scene, one, two, scene.children[2]


def test_a_worker_goes_on_until_its_successor_is_ready_for_its_seat() -> None:
    scene, one, two, successor = rolling()
    assert scene.succeeds[successor.pid] == 10 + one.pid
    scene.tick(60.0)
    assert (one.got, two.got) == ([], [])
    scene.waiting.add(successor.pid)
    scene.tick()
    assert (one.got, two.got) == ([signal.SIGHUP], [])


def test_the_next_worker_is_replaced_once_the_last_one_has_settled(said: Said) -> None:
    scene, one, two, successor = rolling()
    scene.waiting.add(successor.pid)
    scene.tick()
    one.code = 0
    scene.tick(60.0)
    assert len(scene.children) == 3
    scene.settle(successor)
    last = scene.children[3]
    scene.waiting.add(last.pid)
    scene.tick()
    assert two.got == [signal.SIGHUP]
    two.code = 0
    scene.tick()
    scene.settle(last)
    assert said()[-1] == "event=worker_restarted left=0"
    assert (len(scene.children), scene.supervisor.ended) == (4, False)


def test_a_release_that_does_not_start_stops_no_worker(said: Said) -> None:
    scene, one, two, successor = rolling()
    successor.code = 1
    scene.tick(60.0)
    assert (one.got, two.got, len(scene.children)) == ([], [], 3)
    assert said()[-1] == "event=rolling_restart_given_up reason=successor_failed"


def test_a_release_that_fails_once_it_reads_stops_no_second_worker(said: Said) -> None:
    scene, one, two, successor = rolling()
    scene.waiting.add(successor.pid)
    scene.tick()
    one.code = 0
    scene.tick()
    for _ in range(MOST_FAILURES):
        next(child for child in reversed(scene.children) if child is not two).code = 1
        scene.tick()
        scene.tick(60.0)
    assert two.got == []
    assert said()[-1] == "event=rolling_restart_given_up reason=worker_failed"


def test_a_worker_that_dies_before_its_successor_is_ready_is_followed_by_it(said: Said) -> None:
    scene, one, _, successor = rolling()
    one.code = -9
    scene.tick()
    scene.settle(successor)
    assert "event=worker_restarted left=1" in said()


def test_a_stop_in_a_rolling_restart_reaches_the_successor_too() -> None:
    scene, one, two, successor = rolling()
    scene.supervisor.stop_asked = True
    scene.tick()
    assert [child.got for child in (one, two, successor)] == [[signal.SIGTERM]] * 3
    one.code = two.code = 0
    scene.tick()
    assert not scene.supervisor.ended
    successor.code = -15
    scene.tick()
    assert scene.supervisor.ended


def test_a_command_that_is_not_there_ends_no_worker_and_no_parent() -> None:
    """A release is being installed."""
    scene = Scene()
    scene.missing = True
    scene.children[0].code = 1
    for _ in range(3):
        scene.tick(30.0)
    assert scene.children[1].got == []
    scene.missing = False
    scene.tick(30.0)
    assert len(scene.children) == 3


def test_a_successor_that_cannot_be_started_ends_the_rolling_restart(said: Said) -> None:
    scene = Scene()
    scene.settle(*scene.children)
    scene.missing = scene.supervisor.restart_asked = True
    scene.tick()
    assert said()[-1] == "event=rolling_restart_given_up reason=successor_not_started"
    assert [child.got for child in scene.children] == [[], []]


def test_servers_that_were_away_are_no_failure_of_the_worker() -> None:
    scene = Scene(1)
    for code in [TEMPORARY] * (MOST_FAILURES + 1) + [-signal.SIGKILL]:
        scene.children[-1].code = code
        scene.tick()
        scene.tick(60.0)
    assert not scene.supervisor.ended
    assert len(scene.children) == MOST_FAILURES + 3


def test_a_place_is_not_lost_with_a_successor_that_died_while_its_worker_made_room() -> None:
    scene, one, two, successor = rolling()
    scene.waiting.add(successor.pid)
    scene.tick()
    assert one.got == [signal.SIGHUP]
    successor.code = -signal.SIGKILL
    scene.tick()
    one.code = 0
    scene.tick()
    scene.tick()
    assert len(scene.children) == 4
    assert scene.succeeds[scene.children[3].pid] is None
    assert two.got == []


@pytest.mark.parametrize("code", [0, TEMPORARY, -signal.SIGTERM])
def test_to_be_stopped_before_anything_began_is_no_failure(code: int) -> None:
    scene = Scene()
    scene.children[0].code = TEMPORARY
    scene.tick()
    scene.supervisor.stop_asked = True
    scene.tick()
    scene.children[1].code = code
    scene.tick()
    assert scene.supervisor.ended
    assert [post.code for post in scene.supervisor.posts] == [0, 0]


def test_a_successor_that_does_not_listen_is_killed_too() -> None:
    scene, one, two, successor = rolling()
    scene.supervisor.stop_asked = True
    scene.tick()
    one.code = two.code = 0
    scene.tick(9.0)
    assert successor.got == [signal.SIGTERM]
    scene.tick(1.0)
    assert successor.got[-1] == signal.SIGKILL
