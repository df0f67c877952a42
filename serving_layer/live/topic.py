"""The topic of deltas as streams read it: its extent, where to begin behind a source position, and its messages.

Every function blocks until Kafka answers, so callers use threads.
"""

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from typing import Final, NamedTuple, Protocol

import structlog
from confluent_kafka import Consumer, TopicPartition

from common.log.copy_events import DeltaEvent
from common.servers import kafka
from common.servers.kafka import Inquiry
from common.settings import Settings
from serving_layer.live.follow import GROUP, Follower
from serving_layer.live.streams import Delta

log = structlog.get_logger(__name__)
ANSWER_SECONDS: Final = 3.0
CLOCKS_MILLIS: Final = 60_000
"""How far the clocks of two brokers may be apart."""


class Extent(NamedTuple):
    """The offsets of the topic itself: `first` is the first that it still holds, `end` is behind the last."""

    first: int
    end: int


class Reading(Protocol):
    """Reads the topic on from given offsets."""

    def deltas(self, seconds: float) -> list[Delta]:
        """Returns what arrives within `seconds`, in the order of each partition, with what is published again.

        Raises LogError for what cannot be read, and where the topic no longer holds what is next.
        """

    def is_past(self, partition: int, end: int) -> bool:
        """Returns whether everything below `end`, an end of the partition from before the reading, was returned."""

    @property
    def is_away(self) -> bool:
        """Whether Kafka does not answer. The reading goes on where it was once it does."""

    def close(self) -> None: ...


class DeltaTopic(Protocol):
    """The topic of deltas. Every method raises LogUnavailable if Kafka does not answer, LogError without the topic."""

    def partitions(self) -> int:
        """Returns how many partitions the topic has, which are those of the log."""

    def extents(self, partitions: Collection[int]) -> Mapping[int, Extent]:
        """Returns the extent of each of these partitions now."""

    def starts(self, vector: Mapping[int, int]) -> Mapping[int, int]:
        """Returns by partition an offset of the topic that no copy of a position at or above `vector` lies below.

        A partition for which none is known is absent.
        """

    def log_ends(self, partitions: int) -> Mapping[int, int]:
        """Returns by partition the position that the log's next record will have."""

    def read(self, begin: Mapping[int, int]) -> Reading:
        """Returns a reading from these offsets of the topic on; it must be closed."""


class KafkaDeltaTopic:
    """The topic in Kafka."""

    def __init__(self, settings: Settings, report: Callable[[str], None]) -> None:
        """`report` is called when Kafka stops answering, and when it answers again."""
        self._settings = settings
        self._report = report
        self._topic = settings.log.deltas_topic

    def partitions(self) -> int:
        return kafka.topic_identity(self._settings, self._topic, timeout_seconds=ANSWER_SECONDS).partitions

    def extents(self, partitions: Collection[int]) -> Mapping[int, Extent]:
        def found(inquiry: Inquiry) -> Mapping[int, Extent]:
            firsts = inquiry.first_offsets(self._topic, partitions)
            ends = inquiry.end_offsets(self._topic, partitions)
            return {partition: Extent(firsts[partition], ends[partition]) for partition in partitions}

        return kafka.ask(self._settings, found, timeout_seconds=ANSWER_SECONDS)

    def starts(self, vector: Mapping[int, int]) -> Mapping[int, int]:
        # A copy is published after its record was appended: those of later records are not older than a record.
        with closing(kafka.consumer(self._settings, GROUP)) as client, kafka.kafka_errors(self._settings):
            before = {partition: offset - 1 for partition, offset in vector.items() if offset > 0}
            times = _append_times(client, self._settings.log.topic, before)
        at = {partition: max(0, millis - CLOCKS_MILLIS) for partition, millis in times.items()}
        if not at:
            return {}

        def found(inquiry: Inquiry) -> Mapping[int, int]:
            return inquiry.offsets_since(self._topic, at)

        return kafka.ask(self._settings, found, timeout_seconds=ANSWER_SECONDS)

    def log_ends(self, partitions: int) -> Mapping[int, int]:
        return kafka.end_offsets(self._settings, partitions, timeout_seconds=ANSWER_SECONDS)

    def read(self, begin: Mapping[int, int]) -> Reading:
        return _KafkaReading(
            Follower(self._settings, {self._topic: begin}, self._report, what="the stream of deltas", if_gone="error"),
            self._topic,
        )


ConnectTopic = Callable[[Settings], DeltaTopic]
"""Gives `create_app` its topic. It connects when it is first asked, not before."""


def kafka_topic(settings: Settings) -> DeltaTopic:
    """Returns the topic in Kafka; the log has a line when Kafka stops answering, and when it answers again."""
    return KafkaDeltaTopic(settings, lambda text: log.warning("deltas", report=text))


class _KafkaReading:
    def __init__(self, follower: Follower, topic: str) -> None:
        self._follower = follower
        self._topic = topic

    def deltas(self, seconds: float) -> list[Delta]:
        received = self._follower.received(seconds)
        return [Delta.of(each.event, each.body) for each in received if isinstance(each.event, DeltaEvent)]

    def is_past(self, partition: int, end: int) -> bool:
        # Behind the last record may be markers of transactions, which no reader gets.
        place = (self._topic, partition)
        return place in self._follower.met_end or self._follower.reached.get(place, 0) >= end

    @property
    def is_away(self) -> bool:
        return self._follower.is_away

    def close(self) -> None:
        self._follower.close()


def _append_times(client: Consumer, log: str, positions: Mapping[int, int]) -> Mapping[int, int]:
    """Returns in milliseconds when the records at these positions were appended; one that is gone is absent."""
    waiting = dict(positions)
    client.assign([TopicPartition(log, partition, offset) for partition, offset in waiting.items()])
    found: dict[int, int] = {}
    until = time.monotonic() + ANSWER_SECONDS
    while waiting and time.monotonic() < until:
        for message in client.consume(len(waiting), timeout=0.1):
            offset = waiting.pop(message.partition() or 0, None)
            if offset is not None and message.error() is None and message.offset() == offset:
                found[message.partition() or 0] = message.timestamp()[1]
    client.unassign()
    return found
