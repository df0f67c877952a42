"""`lambda360 watch` on the running system: an order and its correction, with the metrics that moved (R9, R14)."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cassandra.cluster import Session

from common.log.position import Position
from common.settings import Settings, environment_of
from infra.local.stack import servers
from tests.support.builders import order, refund
from tests.support.freezing import freeze
from tests.support.harness import Child, running, wait_until
from tests.support.speed_system import TIMEOUT, forget_progress, produce, wait_applied


def watched(settings: Settings, *arguments: str, begin: str = "--from-beginning") -> list[dict[str, Any]]:
    """What a watch shows before its limit ends it."""
    child = Child(settings, "watch", "--json", begin, *arguments, name="watch")
    return [json.loads(line) for line in child.finish(TIMEOUT).splitlines()]


def test_an_order_and_its_correction_show_the_metrics_they_moved(system: Settings) -> None:
    """R9: each delta with its fields and the metrics before and after, and only the customers asked for."""
    with running(system, "speed", "run") as worker:
        produce(system, [order("ada", total_amount="10.00"), order("eve", total_amount="7.00")])
        produce(system, [order("ada", total_amount="25.00", updated_at="2024-06-02"), refund("ada")])
        wait_applied(system, worker)
    first, second = watched(system, "ada", "--kind", "order", "--no-alerts", "--limit", "2")
    assert (first["customer_id"], first["kind"], first["entity_id"]) == ("ada", "order", "o1")
    assert first["metrics"]["total_revenue"] == ["0.00", "10.00"]
    assert second["changes"] == {"amount": ["10.00", "25.00"]}
    assert second["metrics"]["total_revenue"] == ["10.00", "25.00"]
    assert "order_count" not in second["metrics"]
    position = Position(second["partition"], second["offset"])
    (third,) = watched(system, "ada", "--limit", "1", begin=f"--from={position}")
    assert third == second


def test_a_delta_that_is_published_again_is_shown_once(system: Settings, session: Session) -> None:
    """R14: a worker without progress applies the log anew, and publishes the same ids."""
    produce(system, [order("ada"), order("ada", "o2")])
    for turn in (1, 2):
        forget_progress(session)
        with running(system, "speed", "run") as worker:
            wait_applied(system, worker)
            produce(system, [order("ada", f"last-{turn}")])
            wait_applied(system, worker)
    shown = watched(system, "--limit", "4")
    assert [each["entity_id"] for each in shown] == ["o1", "o2", "last-1", "last-2"]


def test_a_live_watch_ends_well_at_ctrl_c(system: Settings) -> None:
    """From now on: what was published before is not shown; SIGINT is a clean end."""
    with running(system, "speed", "run") as worker:
        produce(system, [order("ada", "before")])
        wait_applied(system, worker)
        with running(system, "watch", "--json") as watch:
            numbers = iter(range(1000))

            def shown() -> bool:
                produce(system, [order("ada", f"o{next(numbers)}")])
                return bool(watch.tail())

            wait_until(shown, TIMEOUT, "the watch shows a live order")
            watch.process.send_signal(signal.SIGINT)
            assert watch.process.wait(TIMEOUT) == 0
        assert "before" not in watch.tail(100_000)


def test_without_cassandra_the_values_are_shown(stack: Settings, system: Settings) -> None:
    """R14: a store that is away takes the metrics away, not the deltas."""
    (cassandra,) = [server.pid for server in servers.status(stack) if server.name == "cassandra"]
    assert cassandra is not None
    with running(system, "speed", "run") as worker:
        produce(system, [order("ada")])
        wait_applied(system, worker)
    freeze(cassandra)
    try:
        (shown,) = watched(system, "--limit", "1")
    finally:
        os.kill(cassandra, signal.SIGCONT)
    assert shown["metrics"] is None
    assert {value["measure"] for value in shown["values"]} == {"order_count", "revenue"}
    assert "Cassandra" in shown["note"]


def test_a_closed_pipe_is_a_clean_end(system: Settings) -> None:
    """`lambda360 watch --json | head -1` ends without a word."""
    with running(system, "speed", "run") as worker:
        produce(system, [order("ada", "o1")])
        wait_applied(system, worker)
        command = [str(Path(sys.executable).parent / "lambda360"), "watch", "--json", "--from-beginning"]
        environ = os.environ | environment_of(system)
        with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as watch:
            assert watch.stdout is not None
            assert watch.stderr is not None
            assert json.loads(watch.stdout.readline())["entity_id"] == "o1"
            watch.stdout.close()
            produce(system, [order("ada", "o2")])
            wait_applied(system, worker)
            assert watch.wait(TIMEOUT) == 0
            assert watch.stderr.read() == b""


@pytest.mark.parametrize("topic", ["deltas_topic", "alerts_topic"])
def test_a_missing_topic_is_one_clear_line(system: Settings, topic: str) -> None:
    log = system.log.model_copy(update={topic: "not_there"})
    child = Child(system.model_copy(update={"log": log}), "watch")
    assert child.process.wait(TIMEOUT) == 1
    assert child.tail().splitlines() == ["error: topic 'not_there' does not exist; `lambda360 schema apply` creates it"]


def test_kafka_that_is_away_is_one_clear_line(system: Settings) -> None:
    log = system.log.model_copy(update={"bootstrap_servers": "127.0.0.1:9"})
    child = Child(system.model_copy(update={"log": log}), "watch")
    assert child.process.wait(TIMEOUT) == 1
    assert child.tail().startswith("error: Kafka at 127.0.0.1:9 does not answer")
    assert child.tail().count("\n") == 1
