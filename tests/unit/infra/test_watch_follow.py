"""Following Kafka while it goes away and comes back: it is said, once each time, and the watch goes on (R14)."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import OFFSET_END, KafkaError, KafkaException, TopicPartition

from common.algebra.facts import Delta
from common.errors import LogError
from common.log.copies import Copy, delta_event
from common.log.position import Position
from common.servers import kafka
from common.settings import Settings
from serving_layer.live.contact import Contact
from serving_layer.live.follow import Follower
from tests.support.serving_fakes import delta, order

LOST = KafkaError(KafkaError._ALL_BROKERS_DOWN)
ONE_LOST = KafkaError(KafkaError._TRANSPORT)
END = KafkaError(KafkaError._PARTITION_EOF)
AWAY = "Kafka at k:1 does not answer; the watch goes on where it was once it does"
BACK = "Kafka at k:1 answers again"


@dataclass(frozen=True)
class FakeMessage:
    """A message of the deltas topic, or an error in its place."""

    content: bytes = b""
    failure: KafkaError | None = None

    def error(self) -> KafkaError | None:
        return self.failure

    def value(self) -> bytes:
        return self.content

    def topic(self) -> str:
        return "customer_deltas"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 0


@dataclass
class FakeKafka:
    """A client whose Kafka is away while `is_away`: it says so to `error_cb` as it is polled, and to nobody else."""

    error_cb: Callable[[KafkaError], None] = print
    is_away: bool = False
    messages: list[FakeMessage] = field(default_factory=list)
    asked: int = 0

    def __call__(self, settings: Settings, group: str, **overrides: Any) -> "FakeKafka":
        self.error_cb = overrides["error_cb"]
        return self

    def assign(self, places: list[TopicPartition]) -> None: ...

    def close(self) -> None: ...

    def consume(self, most: int, timeout: float) -> list[FakeMessage]:
        if self.is_away:
            self.error_cb(LOST)
        messages, self.messages = self.messages, []
        return messages

    def list_topics(self, topic: str, timeout: float) -> None:
        self.asked += 1
        if self.is_away:
            raise KafkaException(LOST)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeKafka:
    found = FakeKafka()
    monkeypatch.setattr(kafka, "consumer", found)
    return found


@pytest.fixture
def follower(client: FakeKafka, told: list[str], tmp_path: Path) -> Iterator[Follower]:
    with closing(Follower(at(tmp_path, "k:1"), {}, told.append)) as found:
        yield found


def at(home: Path, servers: str) -> Settings:
    """Settings whose Kafka is said to be there."""
    settings = Settings(home=home)
    return settings.model_copy(update={"log": settings.log.model_copy(update={"bootstrap_servers": servers})})


def copied(offset: int, change: Delta | None = None) -> FakeMessage:
    return FakeMessage(delta_event(Copy(Position(0, offset), "ada", change or delta(order())), "v"))


def test_kafka_that_goes_away_and_comes_back_is_told_once_each_time(
    follower: Follower, client: FakeKafka, told: list[str]
) -> None:
    """R14: nothing is lost meanwhile, and what comes afterwards is shown."""
    for times in (1, 2):
        client.is_away = True
        assert [follower.poll(0) for _ in range(3)] == [[], [], []]
        assert told == [*[AWAY, BACK] * (times - 1), AWAY]
        client.is_away, client.messages = False, [copied(times)]
        assert [event.data.offset for event in follower.poll(0)] == [times]
        follower.poll(0)
        assert told == [AWAY, BACK] * times


def test_kafka_is_back_without_an_event(follower: Follower, client: FakeKafka, told: list[str]) -> None:
    """An idle topic reports its end once, and not again after a loss."""
    client.is_away = True
    follower.poll(0)
    client.is_away = False
    assert follower.poll(0) == []
    assert told == [AWAY, BACK]


def test_an_event_fetched_before_the_loss_is_shown_and_does_not_say_that_kafka_is_back(
    follower: Follower, client: FakeKafka, told: list[str]
) -> None:
    client.is_away = True
    follower.poll(0)
    client.messages = [copied(7)]
    assert [event.data.offset for event in follower.poll(0)] == [7]
    assert told == [AWAY]


def test_kafka_that_answers_is_not_asked_whether_it_does(follower: Follower, client: FakeKafka) -> None:
    client.messages = [FakeMessage(failure=END), copied(1)]
    assert len(follower.poll(0)) == 1
    assert client.asked == 0


def test_one_broker_of_several_that_is_away_is_not_told(told: list[str]) -> None:
    contact = Contact("k:1", told.append)
    contact.failed(ONE_LOST)
    contact.check(lambda: False)
    assert told == []


def test_a_partition_that_cannot_be_read_ends_the_watch(follower: Follower, client: FakeKafka) -> None:
    client.messages = [FakeMessage(failure=KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))]
    with pytest.raises(LogError, match="the topics cannot be followed"):
        follower.poll(0)


def test_the_client_says_within_seconds_that_nobody_listens(tmp_path: Path, told: list[str]) -> None:
    """The client itself: what it says it says to `error_cb`, and not in a message."""
    settings, deadline = at(tmp_path, "127.0.0.1:1"), time.monotonic() + 10
    with closing(Follower(settings, {settings.log.deltas_topic: {0: OFFSET_END}}, told.append)) as follower:
        while not told and time.monotonic() < deadline:
            assert follower.poll(0.1) == []
        follower.poll(0.1)
    assert told == ["Kafka at 127.0.0.1:1 does not answer; the watch goes on where it was once it does"]
