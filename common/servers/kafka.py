"""Kafka for every layer: how clients are configured, and the log's identity and offsets (R1, R8). Produces nothing."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Final, TypeVar

import stamina
from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, ListOffsetsResultInfo, OffsetSpec, TopicDescription
from stamina.instrumentation import set_on_retry_hooks

from common.errors import LogError, LogUnavailable
from common.servers.log_identity import LogIdentity
from common.servers.patience import report_retry
from common.settings import Settings

TIMEOUT_SECONDS: Final = 15.0
"""How long an answer of Kafka is waited for."""
MAX_BYTES: Final = 2 * 2**20
"""Largest record that our producers take, before compression. The broker's limit is on the compressed batch."""
QUIET: Final = {"log_level": 0, "socket.timeout.ms": 10_000}
"""For each client: it writes no lines of its own to stderr, since its errors reach us as exceptions and callbacks."""
LEADERLESS: Final = frozenset(
    {
        KafkaError._NOENT,  # noqa: SLF001 # the client's name; its text is "No leaders found"
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.OFFSET_NOT_AVAILABLE,
    }
)
"""What is said of a partition whose leader is being elected, or does not know yet that it is one."""
ELECTION_SECONDS: Final = 3.0
"""How long a leader is waited for. A worker's heartbeat waits as long, and is silent from 10 s on."""
T = TypeVar("T")
Answers = Mapping[TopicPartition, Future[T]]


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

    def identify(client: AdminClient) -> LogIdentity:
        try:
            found = _described(client, topic, timeout_seconds)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise LogError(f"topic {topic!r} does not exist; `lambda360 schema apply` creates it") from error
            raise
        return LogIdentity(topic, str(found.topic_id), len(found.partitions))

    return _once_led(settings, identify)


def _described(client: AdminClient, topic: str, timeout_seconds: float) -> TopicDescription:
    asked = client.describe_topics(TopicCollection([topic]), request_timeout=timeout_seconds)
    described: TopicDescription = asked[topic].result()
    return described


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
    topic = settings.log.topic
    wanted = {TopicPartition(topic, partition): spec for partition in range(partitions)}

    def ask(client: AdminClient) -> Answers[ListOffsetsResultInfo]:
        return client.list_offsets(wanted, isolation_level=isolation, request_timeout=timeout_seconds)

    return ask_leaders(settings, topic, ask, timeout_seconds)


def ask_leaders(
    settings: Settings,
    topic: str,
    ask: Callable[[AdminClient], Answers[T]],
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Mapping[int, T]:
    """Returns, by partition, what the leaders of `topic` answer to a request of an admin client.

    `ask` makes the request, which must be idempotent: while a partition has no leader, as for a moment after its broker
    came back, it is made again for ELECTION_SECONDS. Raises LogUnavailable, also if the topic does not exist, and after
    twice `timeout_seconds` at the latest if Kafka does not answer at all.
    """

    def met_first(client: AdminClient) -> Mapping[int, T]:
        # When the first thing that a client asks is who leads a partition, it waits for its whole timeout, or for 3 s,
        # one time in seventy (librdkafka 2.16.0, 20 of 1,500). Once it has had any answer: 0 of 3,000.
        _described(client, topic, timeout_seconds)
        return {asked.partition: answer.result() for asked, answer in ask(client).items()}

    return _once_led(settings, met_first)


def _once_led(settings: Settings, ask: Callable[[AdminClient], T]) -> T:
    """Asks by a new client, again after 0.1 s and then more seldom while it fails for the want of a leader.

    Raises LogUnavailable for any KafkaException.
    """

    def once() -> T:
        client = admin(settings)  # it must outlive its futures
        with kafka_errors(settings):
            return ask(client)

    set_on_retry_hooks([report_retry])
    again = stamina.RetryingCaller(attempts=None, timeout=ELECTION_SECONDS, wait_max=0.5, wait_jitter=0.1)
    return again(_has_no_leader, once)


def _has_no_leader(error: Exception) -> bool:
    cause = error.__cause__
    return isinstance(cause, KafkaException) and cause.args[0].code() in LEADERLESS


@contextmanager
def kafka_errors(settings: Settings) -> Iterator[None]:
    """Translates the KafkaException of a request inside into LogUnavailable."""
    try:
        yield
    except KafkaException as error:
        text = f"Kafka at {settings.bootstrap_servers} does not answer as it should: {error.args[0].str()}"
        raise LogUnavailable(text) from error
