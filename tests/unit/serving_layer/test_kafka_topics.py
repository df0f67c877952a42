"""What one request reads of Kafka ends by itself: at each range's end, at a partition's end, or when time is over."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition

from common.errors import LogUnavailable
from common.log.position import Position
from common.servers.kafka import Inquiry
from common.servers.log_identity import LogIdentity
from serving_layer.read.kafka_topics import _envelope, _ever, _Reader, _within


@dataclass
class Message:
    """A message, or an error that the client reports as one."""

    at: Position
    code: int | None = None
    text: bytes | None = b"{}"

    def partition(self) -> int:
        return self.at.partition

    def offset(self) -> int:
        return self.at.offset

    def value(self) -> bytes | None:
        return self.text

    def timestamp(self) -> tuple[int, int]:
        return 2, 1000 + self.at.offset

    def error(self) -> KafkaError | None:
        return None if self.code is None else KafkaError(self.code)


@dataclass
class Client:
    """Gives these messages one after the other, and then none."""

    messages: list[Message]
    assigned: list[TopicPartition] = field(default_factory=list)
    paused: list[int] = field(default_factory=list)
    polls: int = 0

    def assign(self, places: list[TopicPartition]) -> None:
        self.assigned = places

    def pause(self, places: list[TopicPartition]) -> None:
        self.paused += [place.partition for place in places]

    def poll(self, _: float) -> Message | None:
        self.polls += 1
        return self.messages.pop(0) if self.messages else None


def reader(client: Client) -> Any:
    return _Reader(cast(Consumer, client), lambda: 0.0)


EOF = KafkaError._PARTITION_EOF


def test_each_partition_is_read_to_the_end_of_its_range_and_no_further() -> None:
    """A range ends with its last offset, with a message behind it or, where transactions end it, with the partition."""
    client = Client(
        [
            Message(Position(0, 5)), Message(Position(1, 7)), Message(Position(0, 6)), Message(Position(0, 7)),
            Message(Position(1, 12)), Message(Position(2, 3)), Message(Position(2, 9), EOF), Message(Position(0, 8)),
        ]
    )  # fmt: skip

    read = list(reader(client).between("t", {0: (5, 7), 1: (6, 10), 2: (3, 9), 3: (4, 4)}, 1.0))

    assert [(each.partition, each.offset) for each in read] == [(0, 5), (1, 7), (0, 6), (2, 3)]
    assert [(each.partition, each.offset) for each in client.assigned] == [(0, 5), (1, 6), (2, 3)]
    assert (client.paused, len(client.messages)) == ([0, 0, 1, 2], 1)


def test_kafka_that_gives_nothing_in_time_or_an_error_is_unavailable() -> None:
    with pytest.raises(LogUnavailable, match="did not give the alerts of topic 't'"):
        list(reader(Client([Message(Position(0, 1))])).between("t", {0: (1, 3)}, 1.0))
    broken = Client([Message(Position(0, 1), KafkaError._ALL_BROKERS_DOWN)])
    with pytest.raises(LogUnavailable, match="does not give the alerts"):
        list(reader(broken).between("t", {0: (1, 3)}, 1.0))


def test_nothing_to_read_asks_nothing() -> None:
    client = Client([])
    assert list(reader(client).between("t", {0: (4, 4)}, 1.0)) == []
    assert client.polls == 0


@pytest.mark.parametrize(
    "message", [None, Message(Position(1, 9)), Message(Position(1, 8), EOF), Message(Position(1, 8), KafkaError._FAIL)]
)
def test_only_the_record_at_the_very_position_is_taken(message: Message | None) -> None:
    """A record that is gone, or was never committed, gives the next one instead."""
    client = Client([] if message is None else [message])
    assert reader(client).one("t", Position(1, 8), 1.0) is None

    there = Client([Message(Position(1, 8))])
    assert reader(there).one("t", Position(1, 8), 1.0) is not None


@pytest.mark.parametrize(
    "value", [None, b"", b"{}", b"[]", b'{"source": 5}', b"\xff", b'{"source":"a","sourcerow":"1"}']
)
def test_an_envelope_without_a_readable_source_has_no_origin(value: bytes | None) -> None:
    assert _envelope(value) is None


def test_an_envelopes_source_and_row_are_the_origin() -> None:
    found = _envelope(b'{"source":"file:///a.csv","sourcerow":3,"data":{"source":1}}')
    assert found is not None
    assert (found.source, found.sourcerow) == ("file:///a.csv", 3)


@dataclass
class Asked:
    """An inquiry about a topic of one partition, on which something is published between two questions by time."""

    times: list[int]
    """Of the messages, in milliseconds; the first one has offset 0."""
    now: int

    def identity(self, topic: str) -> LogIdentity:
        return LogIdentity(topic, "id", 1)

    def first_offsets(self, topic: str, of: Sequence[int]) -> dict[int, int]:
        return dict.fromkeys(of, 0)

    def end_offsets(self, topic: str, of: Sequence[int]) -> dict[int, int]:
        return dict.fromkeys(of, len(self.times))

    def offsets_since(self, topic: str, at: dict[int, int]) -> dict[int, int]:
        assert all(time >= 0 for time in at.values()), "what is below means something else to Kafka"
        found = {p: next((i for i, time in enumerate(self.times) if time >= at[p]), len(self.times)) for p in at}
        self.times.append(self.now)
        return found


DAY = 86_400_000
TODAY = date(1970, 1, 11)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date.min, []),
        (date(1969, 12, 31), []),
        (date(1970, 1, 1), [0]),
        (date(1970, 1, 10), [1, 2]),
        (TODAY, [3]),
        (date(1970, 1, 12), []),
        (date.max, []),
    ],
)
def test_a_days_alerts_are_of_that_day_whatever_is_published_meanwhile(day: date, expected: list[int]) -> None:
    """A day that has not come has none, though both its edges are the topic's end, which moves."""
    asked = Asked([0, 9 * DAY, 10 * DAY - 1, 10 * DAY], now=10 * DAY + 5)

    (low, high) = _within("t", day, cast(Inquiry, asked))[0]

    assert list(range(low, high)) == expected
    assert low <= high


def test_the_alerts_of_all_days_are_all_that_the_topic_holds() -> None:
    assert _ever("t", cast(Inquiry, Asked([1, 2, 3], now=4))) == {0: (0, 3)}
