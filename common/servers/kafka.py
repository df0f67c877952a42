"""Kafka for every layer: how clients are configured, and the log's identity and offsets (R1, R8). Produces nothing."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, ListOffsetsResultInfo, OffsetSpec

from common.errors import LogError, LogUnavailable
from common.servers.log_identity import LogIdentity
from common.settings import Settings

TIMEOUT_SECONDS: Final = 15.0
"""How long an answer of Kafka is waited for."""
MAX_BYTES: Final = 2 * 2**20
"""Largest record that our producers take, before compression. The broker's limit is on the compressed batch."""
QUIET: Final = {"log_level": 0, "socket.timeout.ms": 10_000}
"""For each client: it writes no lines of its own to stderr, since its errors reach us as exceptions and callbacks."""


def admin(settings: Settings) -> AdminClient:
    return AdminClient({"bootstrap.servers": settings.bootstrap_servers, **QUIET})


def consumer(
    settings: Settings, group: str, **overrides: str | int | float | bool | Callable[[KafkaError], None]
) -> Consumer:
    """Returns a consumer that reads committed records only, and commits no offsets of its own.

    Each of the `overrides` replaces a setting of the client.
    """
    return Consumer(
        {
            "bootstrap.servers": settings.bootstrap_servers,
            "group.id": group,
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            **QUIET,
            **overrides,
        }
    )


def topic_identity(settings: Settings, topic: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> LogIdentity:
    """Returns the id and the partition count that Kafka has for `topic` now.

    Raises LogError if the topic does not exist, LogUnavailable if Kafka does not answer.
    """
    client = admin(settings)  # it must outlive its futures
    with kafka_errors(settings):
        try:
            described = client.describe_topics(TopicCollection([topic]), request_timeout=timeout_seconds)
            found = described[topic].result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise LogError(f"topic {topic!r} does not exist; `lambda360 schema apply` creates it") from error
            raise
    return LogIdentity(topic, str(found.topic_id), len(found.partitions))


def first_offsets(settings: Settings, partitions: int) -> Mapping[int, int]:
    """Returns the first offset that each partition of the log still holds. Raises LogUnavailable."""
    return _offsets(settings, partitions, OffsetSpec.earliest())


def end_offsets(settings: Settings, partitions: int, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Mapping[int, int]:
    """Returns each partition's last stable offset: readers of committed records get all below it, and none above.

    Raises LogUnavailable.
    """
    return _offsets(settings, partitions, OffsetSpec.latest(), timeout_seconds)


def last_offsets(settings: Settings, partitions: int, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Mapping[int, int]:
    """Returns the offset after each partition's last record; it is above `end_offsets` while a transaction is open.

    Raises LogUnavailable.
    """
    uncommitted = IsolationLevel.READ_UNCOMMITTED
    return _offsets(settings, partitions, OffsetSpec.latest(), timeout_seconds, isolation=uncommitted)


def offsets_at(settings: Settings, partitions: int, micros: int) -> Mapping[int, int]:
    """Returns each partition's first offset that was appended at or after `micros`, or its end where there is none.

    Kafka's times are in milliseconds: `micros` is rounded down to one. Raises LogUnavailable.
    """
    millis = micros // 1000
    newest = _asked(settings, partitions, OffsetSpec.max_timestamp())  # before: what is appended later says nothing
    found = _offsets(settings, partitions, OffsetSpec.for_timestamp(millis))
    ends = end_offsets(settings, partitions)
    firsts = first_offsets(settings, partitions)

    # After DeleteRecords, until the segments are gone from its disk, Kafka says of a time in one of them that nothing
    # follows. Where the newest record is not older than that time, neither is the first one that is left.
    def without_answer(partition: int) -> int:
        return firsts[partition] if newest[partition].timestamp >= millis else ends[partition]

    return {partition: without_answer(partition) if offset < 0 else offset for partition, offset in found.items()}


def _offsets(
    settings: Settings,
    partitions: int,
    spec: OffsetSpec,
    timeout_seconds: float = TIMEOUT_SECONDS,
    isolation: IsolationLevel = IsolationLevel.READ_COMMITTED,
) -> Mapping[int, int]:
    answers = _asked(settings, partitions, spec, timeout_seconds, isolation)
    return {partition: answer.offset for partition, answer in answers.items()}


def _asked(
    settings: Settings,
    partitions: int,
    spec: OffsetSpec,
    timeout_seconds: float = TIMEOUT_SECONDS,
    isolation: IsolationLevel = IsolationLevel.READ_COMMITTED,
) -> Mapping[int, ListOffsetsResultInfo]:
    wanted = {TopicPartition(settings.log.topic, partition): spec for partition in range(partitions)}
    client = admin(settings)  # it must outlive its futures
    with kafka_errors(settings):
        answers = client.list_offsets(wanted, isolation_level=isolation, request_timeout=timeout_seconds)
        return {asked.partition: answer.result() for asked, answer in answers.items()}


@contextmanager
def kafka_errors(settings: Settings) -> Iterator[None]:
    """Translates the KafkaException of a request inside into LogUnavailable."""
    try:
        yield
    except KafkaException as error:
        text = f"Kafka at {settings.bootstrap_servers} does not answer as it should: {error.args[0].str()}"
        raise LogUnavailable(text) from error
