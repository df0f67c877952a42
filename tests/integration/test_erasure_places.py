"""R24 in Kafka's and Cassandra's own files: what is deleted leaves the disk, and what is not stays."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from cassandra.cluster import Session
from confluent_kafka import TopicPartition
from confluent_kafka.admin import ConfigResource, ResourceType

from common.algebra.alerts import LargeRefund
from common.algebra.facts import Delta
from common.log.copies import Copy, alert_event
from common.log.erasure import Erasure
from common.log.partition import partition_of
from common.log.position import Position
from common.servers import journal
from common.servers.cassandra import connected
from common.servers.journal import Entry
from common.servers.kafka import admin, consumer, end_offsets, first_offsets, last_offsets, offsets_at
from common.servers.notifications import ALERTS, Notification, NotificationTable
from common.servers.producer import producer
from common.settings import Settings
from infra.local.stack.home import Home
from infra.operate.erasure import nodes, texts, topics
from infra.operate.erasure.segments import SEGMENT_MS
from tests.support.builders import order
from tests.support.harness import wait_until
from tests.support.residue import search
from tests.support.speed_system import PARTITIONS, produce
from tests.support.systems import patient

ERASED = "zq-places-secret"
KEPT = "zq-places-kept"
ADA = partition_of(ERASED, PARTITIONS)
OTHERS = [name for name in (f"{KEPT}-{n}" for n in range(40)) if partition_of(name, PARTITIONS) != ADA]


pytestmark = pytest.mark.slow


@pytest.fixture
def session(system: Settings) -> Iterator[Session]:
    with connected(patient(system)) as session:
        yield session


def cassandra_files(stack: Settings, *needles: str) -> dict[str, set[str]]:
    return search([Home.of(stack).path / "cassandra"], needles)


def test_r24_what_is_deleted_in_cassandra_leaves_its_files_commit_log_and_tombstones(
    stack: Settings, system: Settings, session: Session
) -> None:
    """R24: a tombstone holds its key, and a commit log what it was; both are gone, and live rows are not."""
    insert = "INSERT INTO {} (customer_id, {}) VALUES (%s, {}) USING TIMESTAMP 5"
    for customer in (ERASED, KEPT):
        session.execute(
            insert.format("customer_alerts", "kafka_offset, rule, value", "1, 'r', %s"), (customer, customer)
        )
        session.execute(insert.format("batch_view_a", "batch_id, state", "5, %s"), (customer, customer))
        kept = NotificationTable(session, system.notify, clock=lambda: 10**15)
        body = alert_event(Copy(Position(2, 16), customer, Delta.reset(0)), LargeRefund(0, "r", "o", 1, 1)).decode()
        kept.keep(Notification(queue=ALERTS, at=10**15, id=f"2:16:{customer}", body=body))
    entry = Entry(at=1, who=f"{ERASED}@host", action="accept", what=f"'{ERASED}' and '{KEPT}'", reason="")
    journal.record(session, entry)
    nodes.nodetool(system, "flush", system.cassandra.keyspace)
    before = cassandra_files(stack, ERASED, KEPT)
    assert any("-Data.db" in file for file in before[ERASED])
    assert any("commitlog" in file for file in before[ERASED])
    for table in ("customer_alerts", "batch_view_a"):
        session.execute(f"DELETE FROM {table} USING TIMESTAMP 5 WHERE customer_id = %s", (ERASED,))
    erasure = Erasure(ERASED, Position(2, 17), 0)

    assert texts.remove_notifications(session, {ERASED: erasure}) == 1
    assert texts.scrub(session, [erasure]) == 1
    [noted] = journal.entries(session, 1)
    journal.record(session, Entry(at=1, who="op", action="", what=noted.what, reason="", id=noted.id))
    nodes.compact(session, system, nodes.concerned(["speed_facts", "speed_deltas"]))

    after = cassandra_files(stack, ERASED, KEPT)
    assert after[ERASED] == set()
    assert any("-Data.db" in file for file in after[KEPT])
    assert any("/notifications-" in file for file in before[ERASED])
    assert any("/notifications-" in file for file in after[KEPT])
    assert (noted.who, noted.what) == (f"{ERASED}@host", f"'(erased at 2:17)' and '{KEPT}'")
    assert session.execute("SELECT state FROM batch_view_a WHERE customer_id = %s", (KEPT,)).one().state == KEPT
    tables = "SELECT table_name, gc_grace_seconds AS grace FROM system_schema.tables WHERE keyspace_name = %s"
    rows = session.execute(tables, (system.cassandra.keyspace,))
    assert {row.table_name: row.grace for row in rows if row.grace != nodes.GRACE_SECONDS} == {}


def told(system: Settings) -> dict[int, int]:
    """Records of one customer in every codec, and records of others in other partitions; the ends of the log."""
    for number, codec in enumerate(("gzip", "snappy", "lz4", "zstd", "none")):
        client = producer(system, **{"compression.type": codec})
        produce(system, [order(ERASED, f"{ERASED}-{number}"), *(order(who, "o") for who in OTHERS)], client)
    return dict(end_offsets(system, PARTITIONS))


def log_files(stack: Settings, topic: str) -> set[str]:
    return search([Home.of(stack).path / "kafka" / "data"], [ERASED])[ERASED] & {
        str(path) for path in (Home.of(stack).path / "kafka" / "data").glob(f"{topic}-*/*")
    }


@contextmanager
def open_transaction(settings: Settings, partition: int) -> Iterator[None]:
    """The newest record is of a transaction that is open, behind a committed one; it is given up at last."""
    plain = producer(settings)
    plain.produce(settings.log.topic, b"{}", partition=partition)
    assert plain.flush(30) == 0
    client = producer(settings, **{"transactional.id": settings.log.topic})
    client.init_transactions(30)
    client.begin_transaction()
    client.produce(settings.log.topic, b"{}", partition=partition)
    assert client.flush(30) == 0
    yield
    client.abort_transaction(30)


def test_r24_the_log_loses_closed_segments_below_what_is_archived_and_applied(
    stack: Settings, system: Settings
) -> None:
    """R24, R15: in the customer's partition only; nothing above the offset that is given goes."""
    ends = told(system)
    erasure = Erasure(ERASED, Position(ADA, ends[ADA]), 0)
    assert log_files(stack, system.log.topic)

    early = topics.clear_log(system, [erasure], [], {ADA: 2})
    done = topics.clear_log(system, [erasure], [], ends)

    assert early.removed == 2
    assert early.left
    assert "archived and applied below 2 only" in early.left[0]
    assert done.removed == ends[ADA] - 2
    firsts = dict(first_offsets(system, PARTITIONS))
    assert firsts == {partition: ends[ADA] if partition == ADA else 0 for partition in range(PARTITIONS)}
    since = time.time_ns() // 1000 - 86_400_000_000
    assert offsets_at(system, PARTITIONS, since) == firsts, "R12: no delta counts as expired for it"
    with open_transaction(system, ADA):
        assert offsets_at(system, PARTITIONS, since) == firsts, "nor behind an open transaction, which has the newest"
        open_one = topics.clear_log(system, [erasure], [], dict(end_offsets(system, PARTITIONS)))
        assert "stays on Kafka's disk" in open_one.left[0]
    wait_until(lambda: end_offsets(system, PARTITIONS) == last_offsets(system, PARTITIONS), 30, "its marker is written")
    again = topics.clear_log(system, [erasure], [], dict(end_offsets(system, PARTITIONS)))
    assert again.left == []
    wait_until(lambda: not log_files(stack, system.log.topic), 120, "Kafka removes its segments")
    held = search([Home.of(stack).path / "kafka" / "data"], OTHERS)
    assert [who for who, files in held.items() if not files] == []
    client = admin(system)  # it must outlive its futures
    [answer] = client.describe_configs([ConfigResource(ResourceType.TOPIC, system.log.topic)]).values()
    assert answer.result()["segment.ms"].value != SEGMENT_MS


def test_r24_copies_go_as_far_as_every_group_has_read(stack: Settings, system: Settings) -> None:
    """R24: copies of a partition that holds a forgotten one; a group that lags is named, and keeps what it lacks."""
    topic = system.log.deltas_topic
    client = producer(system)
    for offset, who in enumerate([ERASED, KEPT, ERASED, KEPT]):
        value = json.dumps({"subject": who, "data": {"partition": ADA, "offset": offset}}).encode()
        client.produce(topic, value, who.encode(), ADA)
    client.flush()
    erasure = Erasure(ERASED, Position(ADA, 9), 0)
    commit(system, topic, "slow", ADA, 2)

    lagging = next(each for each in topics.clear_copies(system, [erasure], now=10**18) if each.topic == topic)
    commit(system, topic, "slow", ADA, 4)
    done = next(each for each in topics.clear_copies(system, [erasure], now=10**18) if each.topic == topic)

    assert lagging.removed == 2
    assert "group 'slow' has read below 2 only" in lagging.left[0]
    assert done.removed == 2
    wait_until(lambda: not log_files(stack, topic), 120, "Kafka removes its segments")


def commit(system: Settings, topic: str, group: str, partition: int, offset: int) -> None:
    client = consumer(system, group)
    client.commit(offsets=[TopicPartition(topic, partition, offset)], asynchronous=False)
    client.close()
