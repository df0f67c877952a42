"""The speed layer on real servers as a test holds it: its log, its stored cells, its progress, its workers."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from cassandra.cluster import Session
from confluent_kafka import Producer

from common.log.position import Position
from common.servers.producer import producer as new_producer
from common.settings import Settings
from common.tables import FIRST_GENERATION, Tables
from infra.proof.log_reader import LogReader
from infra.proof.oracle import RawRecord
from tests.support.builders import Message
from tests.support.copies import tally_alerts, tally_deltas
from tests.support.harness import Child
from tests.support.speed_fakes import Cells, placed

PARTITIONS = 4


TIMEOUT = 60.0


def produce(settings: Settings, messages: Iterable[Message], producer: Producer | None = None) -> None:
    """Messages in the log, acknowledged."""
    to = producer or new_producer(settings)
    for message in messages:
        partition = -1 if message.partition is None else message.partition
        to.produce(settings.log.topic, key=message.key, value=message.value, partition=partition)
    assert to.flush(TIMEOUT) == 0


def log_of(settings: Settings) -> list[RawRecord]:
    """The committed records, in offset order within a partition."""
    return LogReader(settings, PARTITIONS).refresh()


def cells(session: Session, generation: int = FIRST_GENERATION) -> Cells:
    """Every live cell of a generation's speed tables, with its write timestamp."""
    tables = Tables(generation)
    facts = session.execute(f"SELECT customer_id, kind, entity_id, value, WRITETIME(value) AS at FROM {tables.facts}")
    found: Cells = {("facts", row.customer_id, row.kind, row.entity_id): (row.value, row.at) for row in facts}
    deltas = session.execute(f"SELECT customer_id, kafka_offset, value, WRITETIME(value) AS at FROM {tables.deltas}")
    found |= {("deltas", row.customer_id, str(row.kafka_offset)): (row.value, row.at) for row in deltas}
    alerts = session.execute(
        "SELECT customer_id, kafka_offset, rule, value, WRITETIME(value) AS at FROM customer_alerts"
    )
    found |= {("alerts", row.customer_id, str(row.kafka_offset), row.rule): (row.value, row.at) for row in alerts}
    return found


def assert_published(settings: Settings, session: Session) -> None:
    """R14: every stored delta and alert is in its topic, as it is stored."""
    deltas, alerts = tally_deltas(settings, session, PARTITIONS), tally_alerts(settings, session, PARTITIONS)
    assert deltas.fits, deltas
    assert alerts.fits, alerts
    assert min(deltas.stored, alerts.stored) > 0


def progress(session: Session, generation: int = 1) -> dict[int, Any]:
    rows = session.execute("SELECT * FROM speed_progress WHERE generation = %s", (generation,))
    return {row.kafka_partition: row for row in rows}


def forget_progress(session: Session) -> None:
    """The next worker applies the log from its beginning, over the rows that are there."""
    session.execute("TRUNCATE speed_progress")


def wait_applied(settings: Settings, *workers: Child) -> None:
    """The log's end is applied, as `lambda360 speed wait` tells."""
    try:
        Child(settings, "speed", "wait", "--timeout", str(TIMEOUT), name="wait").finish(TIMEOUT + 20)
    except AssertionError as error:
        pytest.fail(f"{error}\n" + "\n".join(worker.tail() for worker in workers))


def valid_positions(log: list[RawRecord]) -> set[Position]:
    """Where the valid records lie."""
    by_partition = {record.partition: [r for r in log if r.partition == record.partition] for record in log}
    return {
        Position(partition, valid.offset)
        for partition, records in by_partition.items()
        for customer in placed(records).values()
        for valid in customer
    }


def dead_letters(settings: Settings) -> list[dict[str, Any]]:
    records = LogReader(settings, PARTITIONS, settings.log.errors_topic).refresh()
    return [json.loads(record.value or b"") for record in records]


def owners(worker: Child) -> set[str]:
    """The partitions that the worker opened last."""
    lines = [line for line in worker.tail(20_000).splitlines() if "event=partition" in line]
    last: set[str] = set()
    for line in lines:
        words = dict(word.split("=", 1) for word in line.split() if "=" in word)
        if words["event"] == "partitions_assigned":
            last = set(words["partitions"].split(",")) - {""}
    return last


def shared(*workers: Child) -> bool:
    """Each worker reads its share of the partitions, and no more."""
    return all(len(owners(worker)) == PARTITIONS // len(workers) for worker in workers)


def moved(session: Session) -> int:
    return sum(row.next_offset for row in progress(session).values())
