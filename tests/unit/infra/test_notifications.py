"""`lambda360 notifications`: alerts are kept before they are committed and sent under their ids; nothing is lost."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from common.algebra.alerts import LargeRefund
from common.algebra.facts import Delta
from common.errors import LogError, SettingsError, StoreUnavailable, UsageError
from common.log.copies import Copy, alert_event
from common.log.copy_events import decode_alert_event
from common.log.position import Position
from common.servers.delivery import Delivery
from common.servers.notifications import ALERTS, BATCH, PAGE, Notification
from common.servers.webhook import new_breaker
from common.settings import Settings
from infra.cli import lambda360
from infra.operate.notifications.begin import begin
from infra.operate.notifications.forward import Forwarder
from infra.operate.notifications.table import is_forgotten
from infra.operate.notifications.text import told
from serving_layer.live.contact import Contact
from tests.support.outbox import MemoryOutbox
from tests.support.webhook import START, Clock, Receiver, notifying

pytestmark = pytest.mark.usefixtures("without_pauses")

MILLIS = START // 1000


def body(offset: int, partition: int = 0, customer: str = "ada") -> bytes:
    """The message of an alert, as the speed layer publishes it."""
    alert = LargeRefund(START, f"r{offset}", "o1", 60_000, 50_000)
    return alert_event(Copy(Position(partition, offset), customer, Delta.reset(START)), alert)


@dataclass(frozen=True)
class FakeMessage:
    """A message of the alerts' topic, or an error in its place. Its offset in the topic is its place there."""

    content: bytes = b""
    place: int = 0
    millis: int = MILLIS
    failure: KafkaError | None = None

    def error(self) -> KafkaError | None:
        return self.failure

    def value(self) -> bytes:
        return self.content

    def topic(self) -> str:
        return "customer_alerts"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self.place

    def timestamp(self) -> tuple[int, int]:
        return (2, self.millis)


@dataclass
class Unsettled:
    """A partition as Kafka answers while a transaction of the group is about to end."""

    topic: str
    partition: int
    offset: int = -1001
    error: KafkaError = field(default_factory=lambda: KafkaError(KafkaError.UNSTABLE_OFFSET_COMMIT))


@dataclass
class FakeConsumer:
    """The topic, one partition; `committed_at` is the group's offset, and a new client goes on from there."""

    topic: list[FakeMessage] = field(default_factory=list)
    committed_at: int = -1001
    next: int = 0
    commits: list[int] = field(default_factory=list)
    refuses_commits: bool = False
    away: int = 0
    """So many times the group has no coordinator."""
    unsettled: int = 0
    """So many times after that the partition has an error instead of its offset."""
    refused: int = 0
    """So many commits are refused for this partition, and not for the whole request."""
    most: int = 0

    def appended(self, *offsets: int, **more: Any) -> None:
        for offset in offsets:
            self.topic.append(FakeMessage(body(offset, **more), len(self.topic), MILLIS + len(self.topic)))

    def started(self) -> "FakeConsumer":
        self.next = max(self.committed_at, 0)
        return self

    def consume(self, most: int, timeout: float) -> list[FakeMessage]:
        self.most = most
        found = self.topic[self.next : self.next + most]
        self.next += len(found)
        return found

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> list[TopicPartition]:
        assert not asynchronous
        if self.refuses_commits:
            raise KafkaException(KafkaError(KafkaError._MAX_POLL_EXCEEDED))
        (at,) = offsets
        if self.refused:
            self.refused -= 1
            return [cast(TopicPartition, Unsettled(at.topic, at.partition))]
        self.committed_at = at.offset
        self.commits.append(at.offset)
        return offsets

    def committed(self, places: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        if self.away:
            self.away -= 1
            raise KafkaException(KafkaError(KafkaError.NOT_COORDINATOR))
        if self.unsettled:
            self.unsettled -= 1
            return [cast(TopicPartition, Unsettled(each.topic, each.partition)) for each in places]
        return [TopicPartition(each.topic, each.partition, self.committed_at) for each in places]

    def get_watermark_offsets(self, at: TopicPartition, timeout: float) -> tuple[int, int]:
        return (0, len(self.topic))

    def list_topics(self, topic: str = "", timeout: float = 0) -> Any:
        @dataclass
        class Found:
            topics: dict[str, Any]

        @dataclass
        class Topic:
            partitions: dict[int, None]
            error: KafkaError | None = None

        return Found({topic: Topic({0: None})})


@dataclass
class Forwarding:
    """A forwarder on fakes; `again` is another process on the same topic and outbox."""

    consumer: FakeConsumer
    outbox: MemoryOutbox
    settings: Settings
    clock: Clock
    forwarder: Forwarder = field(init=False)

    def __post_init__(self) -> None:
        self.again()

    def again(self) -> None:
        notify = self.settings.notify
        delivery = Delivery(notify, self.outbox, new_breaker(notify, self.clock.seconds), self.clock)
        client = cast(Any, self.consumer.started())
        self.forwarder = Forwarder(client, delivery, Contact("k:1", print), self.clock.seconds)

    def turns(self, number: int, seconds: float = 0.5) -> None:
        for _ in range(number):
            self.forwarder.turn()
            self.clock.passes(seconds)


@pytest.fixture
def forwarding(receiver: Receiver, clock: Clock, tmp_path: Path) -> Forwarding:
    return Forwarding(FakeConsumer(), MemoryOutbox(clock), notifying(Settings(home=tmp_path), receiver.url), clock)


def ids(*offsets: int) -> list[str]:
    return [f"0:{offset}:large_refund" for offset in offsets]


def test_an_alert_is_sent_as_it_was_published_under_its_own_id(forwarding: Forwarding, receiver: Receiver) -> None:
    forwarding.consumer.appended(17)

    forwarding.turns(1)

    assert receiver.effects == {"0:17:large_refund": json.loads(body(17))}
    assert forwarding.consumer.commits == [1]


def test_an_offset_is_committed_only_once_its_alert_is_kept(forwarding: Forwarding) -> None:
    forwarding.consumer.appended(1)

    def die(name: str, id_: str) -> None:
        raise KeyboardInterrupt

    forwarding.outbox.on_write = die
    with pytest.raises(KeyboardInterrupt):
        forwarding.turns(1)
    assert forwarding.consumer.commits == []


def test_a_receiver_that_is_away_for_an_hour_gets_every_alert_once_in_effect_and_in_order(
    forwarding: Forwarding, receiver: Receiver
) -> None:
    """The outbox holds what waits; the topic is read on, and committed."""
    receiver.down()
    for minute in range(60):
        forwarding.consumer.appended(minute)
        forwarding.turns(6, seconds=10)
    assert forwarding.consumer.committed_at == 60
    assert forwarding.outbox.left(ALERTS) == ids(*range(60))

    receiver.up()
    forwarding.turns(10, seconds=10)

    assert receiver.order == receiver.requests == ids(*range(60))
    assert forwarding.outbox.left(ALERTS) == []


def test_a_forwarder_that_is_killed_after_it_kept_reads_again_and_keeps_the_same_rows(
    forwarding: Forwarding, receiver: Receiver
) -> None:
    forwarding.consumer.appended(1, 2)
    forwarding.consumer.refuses_commits = True
    forwarding.turns(1)
    forwarding.consumer.refuses_commits = False

    forwarding.again()
    forwarding.turns(2)

    assert receiver.requests == ids(1, 2)
    assert len(forwarding.outbox.rows) == 2
    assert forwarding.consumer.committed_at == 2


def test_what_a_forwarder_before_could_not_send_is_sent_at_the_start(
    forwarding: Forwarding, receiver: Receiver
) -> None:
    receiver.down()
    forwarding.consumer.appended(1)
    forwarding.turns(1)
    receiver.up()

    forwarding.again()
    forwarding.turns(1)

    assert receiver.order == ids(1)


def test_an_older_alert_of_another_partition_that_comes_later_is_not_overlooked(
    forwarding: Forwarding, receiver: Receiver
) -> None:
    """The broker's times of several partitions do not come in order."""
    forwarding.consumer.appended(9)
    forwarding.turns(1)
    forwarding.consumer.topic.append(FakeMessage(body(2), 1, MILLIS - 5_000))
    forwarding.turns(1)

    assert receiver.order == ids(9, 2)


def test_a_store_that_is_away_is_waited_for_and_nothing_is_skipped(forwarding: Forwarding, receiver: Receiver) -> None:
    forwarding.consumer.appended(1)
    failures = iter([True, True, False])

    def away(name: str, id_: str) -> None:
        if name == "keep" and next(failures, False):
            raise StoreUnavailable("away")

    forwarding.outbox.on_write = away
    forwarding.turns(1)

    assert receiver.order == ids(1)


def test_a_page_of_alerts_is_in_memory_at_most(forwarding: Forwarding, receiver: Receiver) -> None:
    forwarding.consumer.appended(*range(PAGE + 10))

    forwarding.turns(1)
    assert (forwarding.consumer.most, len(receiver.order)) == (PAGE, PAGE)
    forwarding.turns(1)
    assert receiver.order == ids(*range(PAGE + 10))


def test_one_alert_that_the_receiver_refuses_does_not_hold_up_the_others(
    forwarding: Forwarding, receiver: Receiver
) -> None:
    forwarding.consumer.appended(1, 2, 3)
    receiver.answers = lambda id_: 422 if id_ == ids(2)[0] else 204

    forwarding.turns(3)

    assert receiver.order == ids(1, 3)
    assert forwarding.outbox.left(ALERTS) == ids(2)
    assert len(receiver.requests) == 3, "it is not tried again but by a replay"


def test_what_this_release_cannot_read_stops_it_with_the_position(forwarding: Forwarding) -> None:
    forwarding.consumer.topic.append(FakeMessage(b"{}", 0))

    with pytest.raises(LogError, match="cannot read the message at 0:0 of customer_alerts"):
        forwarding.turns(1)
    assert forwarding.consumer.commits == []


@pytest.mark.parametrize("code", [KafkaError._PARTITION_EOF, KafkaError._MAX_POLL_EXCEEDED])
def test_the_topics_end_and_a_lost_place_in_the_group_are_passed_by(forwarding: Forwarding, code: int) -> None:
    forwarding.consumer.topic.append(FakeMessage(failure=KafkaError(code)))

    forwarding.turns(1)


def test_where_a_new_group_begins_is_asked_for(forwarding: Forwarding) -> None:
    """Nothing old is sent, and nothing is skipped, without a word from the operator."""
    forwarding.consumer.appended(1, 2)
    client = cast(Any, forwarding.consumer)

    with pytest.raises(UsageError, match="--from-now or --from-beginning"):
        begin(forwarding.settings, client, None)
    assert forwarding.consumer.commits == []
    begin(forwarding.settings, client, "now")
    assert forwarding.consumer.commits == [2]
    begin(forwarding.settings, client, None)
    begin(forwarding.settings, client, "beginning")
    assert forwarding.consumer.commits == [2], "once it has begun, its own offsets count"


def test_a_new_group_can_begin_at_the_beginning(forwarding: Forwarding) -> None:
    forwarding.consumer.appended(1, 2)

    begin(forwarding.settings, cast(Any, forwarding.consumer), "beginning")

    assert forwarding.consumer.commits == [0]


def test_a_group_whose_coordinator_is_being_elected_is_waited_for(forwarding: Forwarding) -> None:
    """So it is with a broker that has just begun: found on a real one."""
    forwarding.consumer.appended(1)
    forwarding.consumer.away = 2

    begin(forwarding.settings, cast(Any, forwarding.consumer), "now")

    assert forwarding.consumer.commits == [1]


def test_a_group_whose_offset_is_not_told_is_not_taken_for_a_new_one(forwarding: Forwarding) -> None:
    """R12: it would begin anew, and skip or send again what lies between."""
    forwarding.consumer.appended(1, 2, 3)
    forwarding.consumer.committed_at = 1
    forwarding.consumer.unsettled = 2

    begin(forwarding.settings, cast(Any, forwarding.consumer), "now")

    assert forwarding.consumer.commits == []
    assert forwarding.consumer.unsettled == 0


def test_a_group_begins_only_once_every_partition_took_its_offset(forwarding: Forwarding) -> None:
    forwarding.consumer.appended(1, 2)
    forwarding.consumer.refused = 2

    begin(forwarding.settings, cast(Any, forwarding.consumer), "now")

    assert (forwarding.consumer.refused, forwarding.consumer.commits) == (0, [2])


@pytest.mark.parametrize(("reset", "forgotten"), [(None, False), (16, False), (17, False), (18, True)])
def test_r24_an_alert_below_its_customers_reset_is_forgotten(reset: int | None, *, forgotten: bool) -> None:
    assert is_forgotten(decode_alert_event(body(17)), reset) is forgotten


class Command:
    """The command line over an outbox in memory."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self, *arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(lambda360, ["notifications", *arguments], obj=self.settings, standalone_mode=False)
        if done.exception is not None:
            raise done.exception
        return done.return_value or 0, done.output


@pytest.fixture
def command(forwarding: Forwarding, monkeypatch: pytest.MonkeyPatch) -> Command:
    @contextmanager
    def connected(settings: Settings) -> Iterator[None]:
        yield None

    monkeypatch.setattr("common.servers.cassandra.connected", connected)
    monkeypatch.setattr("infra.operate.notifications.table.OperatorTable", lambda *_: forwarding.outbox)
    monkeypatch.setattr("infra.commands.notifications.clock", forwarding.clock)
    return Command(forwarding.settings)


RUN = json.dumps({"id": "n1", "data": {"title": "batch 12: the batch is late", "message": "it came 31 h later\nsee"}})


def kept(forwarding: Forwarding) -> None:
    forwarding.outbox.keep(Notification(queue=BATCH, at=START, id="n1", body=RUN))
    forwarding.outbox.keep(Notification(queue=ALERTS, at=START + 1, id=ids(17)[0], body=body(17).decode()))


def test_the_list_shows_when_what_and_whether_it_was_delivered(forwarding: Forwarding, command: Command) -> None:
    kept(forwarding)
    first = next(forwarding.outbox.pending(BATCH))
    forwarding.outbox.delivered(first)
    forwarding.outbox.failed(next(forwarding.outbox.pending(ALERTS)), "it answered 503")

    _, text = command("list")
    _, lines = command("list", "--json")
    _, pending = command("list", "--pending", "--json")

    assert "batch 12: the batch is late: it came 31 h later" in text
    assert "no: it answered 503" in text
    assert "large_refund: customer ada" in text
    found = [json.loads(line) for line in lines.splitlines()]
    assert [(each["id"], each["delivered_at"], each["failure"]) for each in found] == [
        ("n1", "2027-01-15 08:00:00Z", None),
        ("0:17:large_refund", None, "it answered 503"),
    ]
    assert found[1]["body"] == json.loads(body(17))
    assert [json.loads(line)["id"] for line in pending.splitlines()] == ids(17)
    assert command("list", "--limit", "1", "--json")[1].count("\n") == 1


def test_an_empty_list_says_so(command: Command) -> None:
    assert command("list")[1] == "no notification is kept\n"
    assert command("list", "--pending")[1] == "no notification is pending\n"


def test_a_replay_sends_both_queues_and_ends_with_1_while_something_is_left(
    forwarding: Forwarding, command: Command, receiver: Receiver
) -> None:
    kept(forwarding)
    receiver.answers = lambda id_: 422 if id_ == "n1" else 204

    assert command("replay") == (1, "batch: 0 sent, 1 refused\nalerts: 1 sent\n")
    receiver.answers = lambda id_: 204
    assert command("replay", "--queue", "batch") == (0, "batch: 1 sent\n")
    assert receiver.order == [*ids(17), "n1"]


@pytest.mark.parametrize("name", ["replay", "forward"])
def test_without_a_webhook_there_is_nothing_to_send_to(command: Command, name: str) -> None:
    command.settings = Settings(home=command.settings.home)

    with pytest.raises(SettingsError, match="LAMBDA360_NOTIFY_URL"):
        command(name)


def test_a_line_of_a_notification_is_its_title_and_its_first_sentence() -> None:
    assert told(Notification(queue=BATCH, at=0, id="n1", body=RUN)) == "batch 12: the batch is late: it came 31 h later"
