"""The speed layer on real servers: the stored cells against the fold of the log (R9 to R12, R14, R24; R1)."""

import base64
import os
import signal
from typing import Any

from cassandra.cluster import Session
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import NewTopic

from common.log.position import Position
from common.servers import kafka
from common.servers.producer import producer as new_producer
from common.settings import Settings
from infra.local.stack import servers
from infra.proof.oracle import RawRecord
from tests.support.builders import erasure, order, random_messages
from tests.support.freezing import freeze
from tests.support.harness import Child, running, wait_until
from tests.support.speed_fakes import fold, placed
from tests.support.speed_system import (
    PARTITIONS,
    TIMEOUT,
    assert_published,
    cells,
    dead_letters,
    forget_progress,
    log_of,
    moved,
    produce,
    progress,
    shared,
    valid_positions,
    wait_applied,
)


def transactional(settings: Settings) -> Producer:
    producer = new_producer(settings, **{"transactional.id": settings.log.topic})
    producer.init_transactions(TIMEOUT)
    return producer


def test_any_log_leaves_the_folds_cells_and_a_replay_changes_none(system: Settings, session: Session) -> None:
    """R9, R10, R11, R14, R24: poison, erasures, transactions committed and aborted, their markers at the log's end."""
    produce(system, random_messages(seed=7, count=400))
    with running(system, "speed", "run") as worker:
        producer = transactional(system)
        producer.begin_transaction()
        produce(system, [order(f"c7-{i}", "aborted", updated_at="2024-07-09") for i in range(8)], producer)
        producer.abort_transaction(TIMEOUT)
        producer.begin_transaction()
        produce(system, [*random_messages(seed=8, count=100), erasure("c8-1")], producer)
        producer.commit_transaction(TIMEOUT)
        wait_applied(system, worker)
        assert worker.stop() == 0, worker.tail()
    log = log_of(system)
    applied = cells(session)
    assert applied == fold(placed(log))
    rejected = {Position(record.partition, record.offset) for record in log} - valid_positions(log)
    letters = dead_letters(system)
    assert {(letter["partition"], letter["offset"]) for letter in letters} == rejected
    assert_true_letters(letters, log)
    assert {row.caught_up_at > 0 and row.next_offset >= row.end_offset for row in progress(session).values()} == {True}

    forget_progress(session)
    with running(system, "speed", "run") as worker:
        wait_applied(system, worker)
    assert cells(session) == applied
    assert_published(system, session)


def assert_true_letters(letters: list[dict[str, Any]], log: list[RawRecord]) -> None:
    by_position = {Position(record.partition, record.offset): record for record in log}
    for letter in letters:
        record = by_position[Position(letter["partition"], letter["offset"])]
        assert letter["id"] == str(Position(record.partition, record.offset))
        assert letter["rule"]
        stored = letter["value_base64"]
        assert (None if stored is None else base64.b64decode(stored)) == record.value


def test_workers_share_the_log_and_a_killed_ones_partitions_go_on(system: Settings, session: Session) -> None:
    """R12: SIGKILL in mid-flight, then SIGSTOP past the session time beside a replacement, then SIGCONT."""
    speed = system.speed.model_copy(update={"session_timeout_seconds": 6.0})
    settings = system.model_copy(update={"speed": speed})
    with running(settings, "speed", "run", name="one") as one, running(settings, "speed", "run", name="two") as two:
        wait_until(lambda: shared(one, two), TIMEOUT, f"two workers share: see {one.output} and {two.output}")
        produce(settings, random_messages(seed=9, count=1500, customers=60))
        wait_until(lambda: moved(session) > 50, TIMEOUT, "work has begun", every=0.02)
        one.kill()
        produce(settings, random_messages(seed=10, count=200, customers=60))
        wait_applied(settings, two)
        two.signal_group(signal.SIGSTOP)
        produce(settings, random_messages(seed=11, count=300, customers=60))
        with running(settings, "speed", "run", name="three") as three:
            wait_applied(settings, three)
            produce(settings, random_messages(seed=11, count=100, customers=60))
            two.signal_group(signal.SIGCONT)
            wait_applied(settings, two, three)
            assert three.stop() == 0, three.tail()
        produce(settings, [order("late")])
        wait_applied(settings, two)
    assert cells(session) == fold(placed(log_of(settings)))
    assert_published(settings, session)


def test_a_store_that_is_away_is_waited_for(stack: Settings, system: Settings, session: Session) -> None:
    """R14: in bounded memory, and without an answer lost; the worker is the same one before and after."""
    (cassandra,) = [server.pid for server in servers.status(stack) if server.name == "cassandra"]
    assert cassandra is not None
    timeouts = system.cassandra.model_copy(update={"request_timeout_seconds": 1.0})
    settings = system.model_copy(update={"cassandra": timeouts})
    with running(settings, "speed", "run") as worker:
        produce(settings, random_messages(seed=12, count=100))
        wait_applied(settings, worker)
        freeze(cassandra)
        try:
            produce(settings, random_messages(seed=13, count=1000, customers=40))
            wait_until(
                lambda: "event=unavailable server=cassandra" in worker.tail(50_000), TIMEOUT, "the store is missed"
            )
        finally:
            os.kill(cassandra, signal.SIGCONT)
        wait_applied(system, worker)
        assert worker.stop() == 0, worker.tail()
    assert cells(session) == fold(placed(log_of(settings)))


def test_a_topic_recreated_behind_our_back_stops_the_worker(system: Settings, session: Session) -> None:
    """R1: a difference, whenever it is seen."""
    produce(system, [order("ada")])
    with running(system, "speed", "run") as worker:
        wait_applied(system, worker)
        before, admin = cells(session), kafka.admin(system)
        admin.delete_topics([system.log.topic])[system.log.topic].result(TIMEOUT)
        topic = NewTopic(system.log.topic, PARTITIONS, 1)
        wait_until(lambda: created(admin, topic), TIMEOUT, "the topic is there again")
        produce(system, [order("eve", f"o{number}") for number in range(20)])
        assert worker.process.wait(TIMEOUT) == 1
        assert "is not the log this system was built on" in worker.tail()
    assert cells(session) == before
    refused = Child(system, "speed", "run", name="refused")
    assert refused.process.wait(TIMEOUT) == 1
    assert "is not the log this system was built on" in refused.tail()


def created(admin: Any, topic: NewTopic) -> bool:
    try:
        admin.create_topics([topic])[topic.topic].result(TIMEOUT)
    except Exception as error:
        if "TOPIC_ALREADY_EXISTS" in str(error):
            return False
        raise
    return True


def test_a_start_below_the_logs_first_offset_is_refused(system: Settings, session: Session) -> None:
    """R12: it never jumps."""
    produce(system, [order("ada", f"o{number}") for number in range(20)])
    partition = next(p for p, end in kafka.end_offsets(system, PARTITIONS).items() if end)
    gone = TopicPartition(system.log.topic, partition, 5)
    admin = kafka.admin(system)  # it must outlive its futures
    (answer,) = admin.delete_records([gone]).values()
    answer.result(TIMEOUT)
    refused = Child(system, "speed", "run")
    assert refused.process.wait(TIMEOUT) == 1
    assert "the log's first offset is 5" in refused.tail()
    assert (cells(session), progress(session)) == ({}, {})
