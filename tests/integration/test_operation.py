"""Operating workers on real servers: seats and static membership, rolling restarts, metrics, and status (R12, R14)."""

import json
import os
import signal
from collections.abc import Iterator

import httpx
import pytest
from cassandra.cluster import Session
from prometheus_client.parser import text_string_to_metric_families

from common.settings import Settings
from infra.local.stack import servers
from speed_layer.operate import seats
from tests.support.builders import AS_OF, order, random_messages
from tests.support.freezing import freeze
from tests.support.harness import Child, running, wait_until
from tests.support.speed_fakes import ALERTS, fold, placed
from tests.support.speed_system import TIMEOUT, cells, log_of, owners, produce, shared, wait_applied
from tests.support.stage import stage

LONG_SESSION = 900.0
"""Much longer than anything here is waited for: what happens in time happened before the session was over."""


@pytest.fixture
def patient(system: Settings) -> Settings:
    """A system whose silent workers keep their partitions for a quarter of an hour."""
    speed = system.speed.model_copy(
        update={"session_timeout_seconds": LONG_SESSION, "large_refund_cents": ALERTS.large_refund_cents}
    )
    return system.model_copy(update={"speed": speed})


@pytest.fixture
def pair(patient: Settings) -> Iterator[tuple[Child, Child]]:
    """Two workers that share the partitions: seats 0 and 1."""
    with running(patient, "speed", "run", name="one") as one:
        wait_until(lambda: len(owners(one)) == 4, TIMEOUT, f"the first worker reads: see {one.output}")
        with running(patient, "speed", "run", name="two") as two:
            wait_until(lambda: shared(one, two), TIMEOUT, f"two workers share: see {one.output} and {two.output}")
            yield one, two


def assignments(worker: Child) -> int:
    return worker.tail(200_000).count("event=partitions_assigned")


def assert_right(settings: Settings, session: Session) -> None:
    """Every fact and delta is the fold's: nothing was lost, doubled or changed."""
    stored, folded = cells(session), fold(placed(log_of(settings)))
    assert {k: v for k, v in stored.items() if k[0] != "alerts"} == {
        k: v for k, v in folded.items() if k[0] != "alerts"
    }


def test_a_killed_workers_replacement_takes_its_seat_and_partitions_at_once(
    patient: Settings, session: Session, pair: tuple[Child, Child]
) -> None:
    """R12: long before its session is over, and without a rebalance for the other worker."""
    one, two = pair
    before = assignments(two)
    one.kill()
    produce(patient, random_messages(seed=21, count=400))
    with running(patient, "speed", "run", name="again") as again:
        wait_applied(patient, again, two)
        assert [each.pid for each in seats.occupants(patient.home)] == [again.process.pid, two.process.pid]
        assert assignments(two) == before
    assert_right(patient, session)


def test_a_worker_that_is_stopped_for_good_leaves_its_partitions_to_the_other(
    patient: Settings, session: Session, pair: tuple[Child, Child]
) -> None:
    """R12: SIGTERM, and the static member is gone from the group before its session is over."""
    one, two = pair
    assert one.stop() == 0, one.tail()
    produce(patient, random_messages(seed=22, count=200))
    wait_applied(patient, two)
    assert_right(patient, session)


def test_a_worker_that_is_hung_up_keeps_its_place_for_its_successor(
    patient: Settings, session: Session, pair: tuple[Child, Child]
) -> None:
    """SIGHUP: the other worker sees no rebalance, and whoever takes the seat goes on."""
    one, two = pair
    before = assignments(two)
    one.process.send_signal(signal.SIGHUP)
    assert one.process.wait(TIMEOUT) == 0, one.tail()
    produce(patient, random_messages(seed=23, count=200))
    with running(patient, "speed", "run", name="again") as again:
        wait_applied(patient, again, two)
        assert assignments(two) == before
    assert_right(patient, session)


def settled(settings: Settings) -> set[int]:
    """The pids of the living workers that read what they were given."""
    return {r.pid for r in seats.occupants(settings.home) if r.settled and seats.is_alive(settings.home, r)}


def test_a_rolling_restart_leaves_every_answer_exact(stack: Settings) -> None:
    """SIGHUP to the parent replaces its workers one after another; every answer meanwhile is exact (R22)."""
    with stage(stack) as scene:
        parent = scene.start("speed", "run", "--workers", "2", name="parent")
        wait_until(lambda: len(settled(scene.settings)) == 2, TIMEOUT, f"two workers read: see {parent.output}")
        produce(scene.settings, random_messages(seed=24, count=300))
        scene.wait_applied(scene.ends())
        old = settled(scene.settings)
        parent.process.send_signal(signal.SIGHUP)

        def replaced() -> bool:
            produce(scene.settings, random_messages(seed=25, count=20))
            verdict = scene.check(AS_OF)
            assert (verdict.wrong, verdict.degraded) == (0, 0), verdict
            return len(settled(scene.settings) - old) == 2

        wait_until(replaced, TIMEOUT * 2, f"both workers are replaced: see {parent.output}")
        scene.wait_applied(scene.ends())
        assert scene.check(AS_OF).right
        assert "event=worker_restarted left=0" in parent.tail(200_000)
        assert parent.stop() == 0, parent.tail()


def test_workers_end_with_a_parent_that_is_killed(patient: Settings, session: Session) -> None:
    """PR_SET_PDEATHSIG: no worker is left behind, and they leave the group as they go."""
    with running(patient, "speed", "run", "--workers", "2", name="parent") as parent:
        wait_until(lambda: len(settled(patient)) == 2, TIMEOUT, f"two workers read: see {parent.output}")
        os.kill(parent.process.pid, signal.SIGKILL)
        wait_until(lambda: seats.occupants(patient.home) == [], TIMEOUT, "both workers end and leave their seats")
    with running(patient, "speed", "run", name="next") as worker:
        produce(patient, [order("ada")])
        wait_applied(patient, worker)
    assert_right(patient, session)


def test_a_child_that_dies_is_replaced(patient: Settings, session: Session) -> None:
    """SIGKILL of one of two: the parent fills its place, and the log goes on."""
    with running(patient, "speed", "run", "--workers", "2", name="parent") as parent:
        wait_until(lambda: len(settled(patient)) == 2, TIMEOUT, f"two workers read: see {parent.output}")
        victim = min(settled(patient))
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(settled(patient) - {victim}) == 2, TIMEOUT, f"it is replaced: see {parent.output}")
        produce(patient, random_messages(seed=26, count=100))
        wait_applied(patient, parent)
        assert parent.stop() == 0, parent.tail()
    assert_right(patient, session)


def status_of(settings: Settings) -> tuple[int, dict[str, object]]:
    """The exit code of `lambda360 speed status --json`, and what it said."""
    child = Child(settings, "speed", "status", "--json", name="status")
    code = child.process.wait(TIMEOUT)
    return code, json.loads(child.output.read_text().splitlines()[-1])


def test_a_worker_tells_its_metrics_and_status_tells_the_whole(system: Settings) -> None:
    """Records by outcome, offsets and circuits on the worker's own port; exit code 0 while all is well."""
    with running(system, "speed", "run") as worker:
        produce(system, [order("ada"), order("ada"), order("eve")])
        wait_applied(system, worker)
        (occupant,) = seats.occupants(system.home)
        text = httpx.get(f"http://127.0.0.1:{occupant.metrics_port}/metrics", trust_env=False).text
        samples = {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
        assert samples["lambda360_speed_records_total", "applied"] == 2
        assert samples["lambda360_speed_records_total", "repeated"] == 1
        assert sum(v for key, v in samples.items() if key[0] == "lambda360_speed_next_offset") == 3
        assert samples["process_resident_memory_bytes",] > 0
        code, found = status_of(system)
        assert (code, found["trouble"]) == (0, []), found
        assert [worker["state"] for worker in found["workers"]] == ["alive"]  # type: ignore[attr-defined] # JSON
        assert worker.stop() == 0
    wait_until(lambda: status_of(system)[0] == 1, TIMEOUT, "status misses the heartbeats", every=1.0)
    assert status_of(system)[1]["workers"] == []


def test_status_answers_while_cassandra_is_away(stack: Settings, system: Settings) -> None:
    """R14: it names who is away, and still tells what the worker knows."""
    (cassandra,) = [server.pid for server in servers.status(stack) if server.name == "cassandra"]
    assert cassandra is not None
    with running(system, "speed", "run") as worker:
        produce(system, [order("ada"), order("eve")])
        wait_applied(system, worker)
        freeze(cassandra)
        try:
            code, found = status_of(system)
            if "kafka" in found["away"]:  # type: ignore[operator] # JSON
                code, found = status_of(system)  # on a busy machine Kafka may take longer than status waits
        finally:
            os.kill(cassandra, signal.SIGCONT)
    assert code == 1
    assert list(found["away"]) == ["cassandra"]  # type: ignore[call-overload] # JSON
    assert sum(partition["next_offset"] for partition in found["partitions"]) == 2  # type: ignore[attr-defined] # JSON


def test_a_line_of_the_log_names_the_seat_and_the_positions(system: Settings) -> None:
    """One line for each event, with time, level, seat and positions."""
    with running(system, "speed", "run") as worker:
        produce(system, [order("ada")])
        wait_applied(system, worker)
        assert worker.stop() == 0
    last = [line for line in worker.tail().splitlines() if "event=worker_stop" in line][-1]
    assert {"level=info", "seat=0", "left_group=true"} <= set(last.split())
    assert last.startswith("time=")
