"""Notifications on real servers: the table, its erasures, and alerts from their topic to a receiver."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cassandra.cluster import Session
from click.testing import CliRunner

from common.algebra.alerts import LargeRefund
from common.algebra.dates import MICROS_PER_DAY
from common.algebra.facts import Delta
from common.log.copies import Copy, alert_event
from common.log.erasure import Erasure
from common.log.position import Position
from common.servers.notifications import ALERTS, BATCH, PAGE, Notification, NotificationTable
from common.servers.producer import producer
from common.settings import Settings
from infra.cli import lambda360
from infra.operate.erasure import nodes, texts
from infra.operate.notifications.table import OperatorTable
from tests.support.harness import Child, running, wait_until
from tests.support.webhook import START, Clock, Receiver, notifying, receiving

KEPT_DAYS = 30
PATIENCE = 300.0


def now() -> int:
    return time.time_ns() // 1000


@pytest.fixture
def clock() -> Clock:
    return Clock(now())


@pytest.fixture
def table(session: Session, system: Settings, clock: Clock) -> OperatorTable:
    return OperatorTable(session, system.notify, clock)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """Its own clock is the machine's, as the commands' is."""

    class Real(Clock):
        def __call__(self) -> int:
            return now()

    with receiving(Real(), monkeypatch) as found:
        yield found


def run_event(at: int, id_: str) -> Notification:
    return Notification(queue=BATCH, at=at, id=id_, body='{"data": {"title": "t", "message": "m"}}')


def body(partition: int, offset: int, customer: str) -> bytes:
    alert = LargeRefund(START, f"r{offset}", "o1", 60_000, 50_000)
    return alert_event(Copy(Position(partition, offset), customer, Delta.reset(START)), alert)


def _has_ended(child: Child) -> bool:
    return child.process.poll() is not None


def alert(at: int, offset: int, customer: str) -> Notification:
    return Notification(queue=ALERTS, at=at, id=f"2:{offset}:large_refund", body=body(2, offset, customer).decode())


def test_what_is_kept_is_read_in_order_over_days_and_pages_until_it_is_delivered(
    table: OperatorTable, clock: Clock
) -> None:
    """Kept again, it stays as it is; queues are apart; what is older than is kept is not read."""
    days = [clock.now - days * MICROS_PER_DAY for days in (29, 3, 0)]
    for number, at in enumerate(reversed(days)):
        table.keep(run_event(at, f"n{number}"))
        table.keep(run_event(at, f"n{number}"))
    table.keep(run_event(clock.now - 31 * MICROS_PER_DAY, "old"))
    table.keep(alert(clock.now, 1, "ada"))
    assert [each.id for each in table.pending(BATCH)] == ["n2", "n1", "n0"]

    middle = run_event(days[1], "n1")
    table.failed(middle, "it answered 503")
    assert [(each.id, each.failure) for each in table.pending(BATCH, days[1])] == [
        ("n1", "it answered 503"),
        ("n0", ""),
    ]
    table.delivered(middle)
    table.keep(middle)

    assert [each.id for each in table.pending(BATCH)] == ["n2", "n0"]
    found = {each.id: each for each in table.kept(BATCH)}
    assert (found["n1"].delivered_at, found["n1"].failure, found["n0"].delivered_at) == (clock.now, "", None)
    table.remove(run_event(days[2], "n0"))
    table.delivered(run_event(days[2], "n0"))  # a mark that comes late brings nothing back
    assert [each.id for each in table.kept(BATCH)] == ["n2", "n1"]

    many = PAGE + 5
    for number in range(many):
        table.keep(alert(clock.now + number, 100 + number, "bob"))
    assert [each.at for each in table.pending(ALERTS)] == [clock.now, *range(clock.now, clock.now + many)]


def test_every_row_expires_by_itself(session: Session, table: NotificationTable, clock: Clock) -> None:
    table.keep(run_event(clock.now, "n1"))
    table.delivered(run_event(clock.now, "n1"))

    row = session.execute("SELECT TTL(body) AS body, TTL(delivered_at) AS mark FROM notifications").one()

    assert KEPT_DAYS * 86_400 - 600 < row.body <= row.mark <= KEPT_DAYS * 86_400


def test_r24_an_alert_of_an_erased_customer_is_neither_listed_nor_sent_and_leaves_the_table(
    session: Session, table: OperatorTable, clock: Clock
) -> None:
    """R24: rows that are keyed by day check the marker when they are read."""
    mark = "INSERT INTO speed_facts (customer_id, kind, entity_id, value) VALUES (%s, '', '', %s) USING TIMESTAMP 17"
    session.execute(mark, ("ada", "17"))
    for offset, customer in ((16, "ada"), (18, "ada"), (14, "bob")):
        table.keep(alert(clock.now + offset, offset, customer))

    found = [json.loads(each.body)["subject"] for each in table.pending(ALERTS)]

    assert found == ["bob", "ada"]
    left = [json.loads(row.body) for row in session.execute("SELECT body FROM notifications")]
    assert sorted((each["subject"], each["data"]["offset"]) for each in left) == [("ada", 18), ("bob", 14)]


def test_r24_maintenance_removes_alerts_of_erased_customers_sent_or_not_and_no_others(
    session: Session, table: OperatorTable, clock: Clock
) -> None:
    """R24: also those that are older than a deployment keeps them by now; and the files of the table are cleaned."""
    for offset, customer in ((16, "ada"), (18, "ada"), (14, "bob")):
        table.keep(alert(clock.now - 90 * MICROS_PER_DAY + offset, offset, customer))
    sent = alert(clock.now, 15, "ada")
    table.keep(sent)
    table.delivered(sent)
    table.keep(run_event(clock.now, "lambda360:12:sla"))
    erased = {"ada": Erasure("ada", Position(2, 17), clock.now)}

    assert texts.remove_notifications(session, erased) == 2
    assert texts.remove_notifications(session, erased) == 0

    rows = session.execute("SELECT id, body FROM notifications")
    assert sorted(row.id for row in rows if row.body) == ["2:14:large_refund", "2:18:large_refund", "lambda360:12:sla"]
    assert "notifications" in nodes.concerned([])


@pytest.mark.timeout(900)
def test_alerts_go_from_their_topic_to_the_receiver_once_in_effect_also_if_it_was_away(
    system: Settings, receiver: Receiver, table: OperatorTable, tmp_path: Path
) -> None:
    """Through the commands: forwarded, killed, forwarded again, replayed; each request verified by its signature."""
    settings = notifying(system, receiver.url, group=f"notify-{system.cassandra.keyspace}")
    client = producer(settings)
    ids = [f"{number % 4}:{number}:large_refund" for number in range(20)]

    def publish(numbers: range) -> None:
        for number in numbers:
            client.produce(settings.log.alerts_topic, body(number % 4, number, "ada"), b"ada", number % 4)
        client.flush()

    publish(range(10))
    with running(settings, "notifications", "forward", "--from-beginning") as child:
        wait_until(lambda: len(receiver.effects) == 10 or _has_ended(child), PATIENCE, "ten alerts arrive")
        assert len(receiver.effects) == 10, child.tail()
        child.kill()
    receiver.down()
    publish(range(10, 20))
    with running(settings, "notifications", "forward") as child:
        wait_until(lambda: len(list(table.kept(ALERTS))) == 20 or _has_ended(child), PATIENCE, "the others are kept")
        assert child.stop() == 0
    assert len(receiver.effects) == 10
    receiver.up()

    done = CliRunner().invoke(lambda360, ["notifications", "replay"], obj=settings, standalone_mode=False)

    assert done.exception is None
    assert done.output == "batch: 0 sent\nalerts: 10 sent\n"
    assert (set(receiver.effects), receiver.unsigned) == (set(ids), [])
    listed = CliRunner().invoke(lambda360, ["notifications", "list", "--json"], obj=settings, standalone_mode=False)
    rows = [json.loads(line) for line in listed.output.splitlines()]
    assert {row["id"] for row in rows} == set(ids)
    assert all(row["delivered_at"] for row in rows)
