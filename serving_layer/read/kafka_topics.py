"""Implements `serving_layer.read.topics` with clients that live for one request and join no group."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from datetime import date
from functools import partial
from typing import Final, NamedTuple, TypeVar

import msgspec
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from common.algebra.dates import day_of
from common.algebra.facts import Origin
from common.errors import LogUnavailable
from common.log.copy_events import AlertEvent, decode_alert_event
from common.log.position import Position
from common.servers import kafka
from common.servers.kafka import Inquiry
from common.settings import Settings
from serving_layer.read.newest import Window, newest_first
from serving_layer.read.topics import AlertsPage

GROUP: Final = "lambda360-serving"
"""Required by the client. Nothing joins this group, and nothing is committed to it."""
MOST_ORIGINS: Final = 50
"""Records that one request reads for their origin, at most; the others' origins are null."""
ORIGIN_SECONDS: Final = 2.0
"""How long one request waits for these records, all together."""
ALERTS_SECONDS: Final = 4.0
DAY_MILLIS: Final = 86_400_000
AT_ONCE: Final = 2
"""Requests that read Kafka at the same time, at most; each has a thread and a client of Kafka meanwhile."""
T = TypeVar("T")


class _Envelope(msgspec.Struct):
    source: str
    sourcerow: int | None = None


class KafkaTopics:
    """Implements `Topics`. Nothing is connected before the first request. `monotonic` returns seconds."""

    def __init__(self, settings: Settings, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._room = asyncio.Semaphore(AT_ONCE)

    async def origins(self, positions: Collection[Position]) -> Mapping[Position, Origin]:
        wanted = sorted(positions)[:MOST_ORIGINS]
        if not wanted:
            return {}
        try:
            return await self._off_loop(partial(self._read, partial(self._origins, wanted)))
        except LogUnavailable:
            return {}

    async def alerts(self, day: date | None, below: Mapping[int, int] | None, most: int) -> AlertsPage:
        return await self._off_loop(partial(self._alerts, day, below, most))

    async def _off_loop(self, read: Callable[[], T]) -> T:
        async with self._room:
            return await asyncio.to_thread(read)

    def _read(self, read: Callable[["_Reader"], T]) -> T:
        with kafka.kafka_errors(self._settings):
            client = kafka.consumer(self._settings, GROUP, **{"fetch.wait.max.ms": 50})
            with closing(client):
                return read(_Reader(client, self._monotonic))

    def _origins(self, wanted: list[Position], reader: "_Reader") -> dict[Position, Origin]:
        until = self._monotonic() + ORIGIN_SECONDS
        topic = self._settings.log.topic
        found = {position: reader.one(topic, position, until) for position in wanted}
        return {
            position: Origin(envelope.source, envelope.sourcerow)
            for position, message in found.items()
            if message is not None and (envelope := _envelope(message.value())) is not None
        }

    def _alerts(self, day: date | None, below: Mapping[int, int] | None, most: int) -> AlertsPage:
        until = self._monotonic() + ALERTS_SECONDS
        topic = self._settings.log.alerts_topic
        windows = [
            Window(partition, low, min(high, high if below is None else below.get(partition, low)), most)
            for partition, (low, high) in self._ranges(topic, day, until).items()
        ]
        ranges = {each.partition: (each.start, each.end) for each in windows}
        messages = self._read(lambda reader: list(reader.between(topic, ranges, until)))
        taken, rest = newest_first(windows, messages, most)
        return AlertsPage([event for each in taken if (event := _event(each.value)) is not None], rest)

    def _ranges(self, topic: str, day: date | None, until: float) -> Mapping[int, tuple[int, int]]:
        """Returns for each partition the offsets [low, high) of what was published on `day`, or of everything."""
        seconds = max(until - self._monotonic(), 0.0)
        question = partial(_ever, topic) if day is None else partial(_within, topic, day)
        return kafka.ask(self._settings, question, timeout_seconds=seconds)


def _ever(topic: str, inquiry: Inquiry) -> Mapping[int, tuple[int, int]]:
    of = range(inquiry.identity(topic).partitions)
    lows = inquiry.first_offsets(topic, of)
    highs = inquiry.end_offsets(topic, of)
    return {partition: (lows[partition], highs[partition]) for partition in of}


def _within(topic: str, day: date, inquiry: Inquiry) -> Mapping[int, tuple[int, int]]:
    of = range(inquiry.identity(topic).partitions)
    begin = day_of(day) * DAY_MILLIS
    # The later edge first: on a day that has not come, both are the end, and what is published between is not of it.
    highs = inquiry.offsets_since(topic, dict.fromkeys(of, max(0, begin + DAY_MILLIS)))
    lows = inquiry.offsets_since(topic, dict.fromkeys(of, max(0, begin)))
    return {partition: (min(lows[partition], highs[partition]), highs[partition]) for partition in of}


class _Read(NamedTuple):
    """A message as `newest_first` orders it."""

    published_at: int
    """Milliseconds since the epoch, by the broker's clock."""
    partition: int
    offset: int
    value: bytes


class _Reader:
    """Reads messages by their positions with one consumer. Times are of `monotonic`, in seconds."""

    def __init__(self, client: Consumer, monotonic: Callable[[], float]) -> None:
        self._client = client
        self._monotonic = monotonic

    def one(self, topic: str, position: Position, until: float) -> Message | None:
        """Returns the record at exactly this position; None if it is not there, or does not come in time."""
        self._client.assign([TopicPartition(topic, position.partition, position.offset)])
        message = self._client.poll(self._left(until))
        if message is None or message.error() is not None or message.offset() != position.offset:
            return None
        return message

    def between(self, topic: str, ranges: Mapping[int, tuple[int, int]], until: float) -> Iterable[_Read]:
        """Yields what lies in the ranges [start, end), by partition. Raises LogUnavailable if it takes too long."""
        waiting = {partition for partition, (start, end) in ranges.items() if start < end}
        self._client.assign([TopicPartition(topic, partition, ranges[partition][0]) for partition in sorted(waiting)])
        while waiting:
            # One at a time: `consume` would wait for a whole batch, or for all the time that is left.
            message = self._client.poll(self._left(until))
            if message is None:
                raise LogUnavailable(f"Kafka did not give the alerts of topic {topic!r} within {ALERTS_SECONDS:g} s")
            partition, offset = message.partition() or 0, message.offset() or 0
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 # the client's name
                raise LogUnavailable(f"Kafka does not give the alerts of topic {topic!r}: {error.str()}")
            end = ranges[partition][1]
            if error is None and offset < end and (value := message.value()) is not None:
                yield _Read(message.timestamp()[1], partition, offset, value)
            if error is not None or offset >= end - 1:
                waiting.discard(partition)
                self._client.pause([TopicPartition(topic, partition)])

    def _left(self, until: float) -> float:
        return max(until - self._monotonic(), 0.0)


def _envelope(value: bytes | None) -> _Envelope | None:
    try:
        return _ENVELOPE.decode(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _event(value: bytes) -> AlertEvent | None:
    """Returns the alert of a message; None for that of a release which knows other rules."""
    try:
        return decode_alert_event(value)
    except msgspec.DecodeError:
        return None


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
