"""Kafka for every layer: how clients are configured, and the log's identity and offsets (R1, R8). Produces nothing."""

from collections.abc import Callable, Iterable, Iterator, Mapping
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
ELECTIONS: Final = frozenset(
    {
        KafkaError.NOT_CONTROLLER,
        KafkaError._NOENT,  # noqa: SLF001 # the client's name; its text is "No leaders found"
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.OFFSET_NOT_AVAILABLE,
    }
)
"""What is said while a controller or a leader is being elected, or does not know yet that it is one."""
ELECTION_SECONDS: Final = 3.0
"""How long an election is waited for. A worker's heartbeat waits as long, and is silent from 10 s on."""
T = TypeVar("T")


def admin(settings: Settings) -> AdminClient:
    """Returns a client that has met nobody yet; `ask` asks by one that has. It must outlive the futures it gives."""
    # A new client may choose a broker again only after half of the least backoff, of 100 ms by default; and it would
    # create a topic that it is asked about, where brokers allow that.
    new = {"reconnect.backoff.ms": 20, "allow.auto.create.topics": False}
    return AdminClient({"bootstrap.servers": settings.bootstrap_servers, **QUIET, **new})


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


def ask(settings: Settings, question: Callable[[AdminClient], T], *, timeout_seconds: float = TIMEOUT_SECONDS) -> T:
    """Returns what `question` gets of a new admin client. It must be idempotent, and limit its own time.

    While there is no controller, or no leader of a partition, as for a moment after a broker came back, it is put again
    by another client for ELECTION_SECONDS. Raises LogUnavailable for any KafkaException, and after `timeout_seconds` if
    Kafka does not answer at all.
    """

    def once() -> T:
        client = admin(settings)
        with kafka_errors(settings):
            _meet(client, settings.log.topic, timeout_seconds)
            return question(client)

    set_on_retry_hooks([report_retry])
    again = stamina.RetryingCaller(attempts=None, timeout=ELECTION_SECONDS, wait_max=0.5, wait_jitter=0.1)
    return again(_is_being_elected, once)


def _meet(client: AdminClient, topic: str, timeout_seconds: float) -> None:
    """Lets the client learn who the controller is, and who leads the topic if it exists.

    A client learns both as it connects, and not again for long (librdkafka 2.16.0). One that is told then that there is
    no controller waits its whole timeout for one, or ends the process, where it describes a cluster. One whose first
    question is who leads a partition waits 3 s or its whole timeout one time in seventy, since that crosses with what
    it asks of itself: 20 of 1,500, and 0 of 7,000 that had met Kafka so.
    """
    if client.list_topics(topic, timeout=timeout_seconds).controller_id < 0:
        raise KafkaException(KafkaError(KafkaError.NOT_CONTROLLER, "there is no controller at the moment"))


def _is_being_elected(error: Exception) -> bool:
    cause = error.__cause__
    return isinstance(cause, KafkaException) and cause.args[0].code() in ELECTIONS


def topic_identity(settings: Settings, topic: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> LogIdentity:
    """Returns the id and the partition count that Kafka has for `topic` now.

    Raises LogError if the topic does not exist, LogUnavailable if Kafka does not answer.
    """

    def described(client: AdminClient) -> TopicDescription:
        asked = client.describe_topics(TopicCollection([topic]), request_timeout=timeout_seconds)
        try:
            answer: TopicDescription = asked[topic].result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise LogError(f"topic {topic!r} does not exist; `lambda360 schema apply` creates it") from error
            raise
        return answer

    found = ask(settings, described, timeout_seconds=timeout_seconds)
    return LogIdentity(topic, str(found.topic_id), len(found.partitions))


def first_offsets(settings: Settings, partitions: int) -> Mapping[int, int]:
    """Returns the first offset that each partition of the log still holds. Raises LogUnavailable."""
    topic = settings.log.topic
    return ask(settings, lambda client: list_offsets(client, topic, range(partitions), OffsetSpec.earliest()))


def end_offsets(settings: Settings, partitions: int, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Mapping[int, int]:
    """Returns each partition's last stable offset: readers of committed records get all below it, and none above.

    Raises LogUnavailable.
    """
    return _ends(settings, partitions, IsolationLevel.READ_COMMITTED, timeout_seconds)


def last_offsets(settings: Settings, partitions: int, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Mapping[int, int]:
    """Returns the offset after each partition's last record; it is above `end_offsets` while a transaction is open.

    Raises LogUnavailable.
    """
    return _ends(settings, partitions, IsolationLevel.READ_UNCOMMITTED, timeout_seconds)


def _ends(settings: Settings, partitions: int, isolation: IsolationLevel, timeout_seconds: float) -> Mapping[int, int]:
    topic = settings.log.topic

    def ends(client: AdminClient) -> Mapping[int, int]:
        return list_offsets(client, topic, range(partitions), OffsetSpec.latest(), timeout_seconds, isolation)

    return ask(settings, ends, timeout_seconds=timeout_seconds)


def offsets_at(settings: Settings, partitions: int, micros: int) -> Mapping[int, int]:
    """Returns each partition's first offset that was appended at or after `micros`, or its end where there is none.

    Kafka's times are in milliseconds: `micros` is rounded down to one. Raises LogUnavailable.
    """
    at = dict.fromkeys(range(partitions), micros // 1000)
    return ask(settings, lambda client: offsets_since(client, settings.log.topic, at))


def list_offsets(
    client: AdminClient,
    topic: str,
    partitions: Iterable[int],
    spec: OffsetSpec,
    timeout_seconds: float = TIMEOUT_SECONDS,
    isolation: IsolationLevel = IsolationLevel.READ_COMMITTED,
) -> Mapping[int, int]:
    """Returns the offset of each of these partitions, as `ask` lets a client ask for it. Raises KafkaException."""
    specs = dict.fromkeys(partitions, spec)
    return {p: found.offset for p, found in _list(client, topic, specs, timeout_seconds, isolation).items()}


def offsets_since(
    client: AdminClient, topic: str, at: Mapping[int, int], timeout_seconds: float = TIMEOUT_SECONDS
) -> Mapping[int, int]:
    """Returns by partition the first offset that was appended at or after the time `at`, or its end without one.

    Times are in milliseconds since the epoch. What is appended meanwhile lies at the offset that is returned, or above
    it. Raises KafkaException.
    """
    # Both before the question: what is appended between them and it must not be passed over.
    newest = _list(client, topic, dict.fromkeys(at, OffsetSpec.max_timestamp()), timeout_seconds)
    ends = list_offsets(client, topic, at, OffsetSpec.latest(), timeout_seconds)
    specs = {partition: OffsetSpec.for_timestamp(millis) for partition, millis in at.items()}
    found = _list(client, topic, specs, timeout_seconds)
    firsts = list_offsets(client, topic, at, OffsetSpec.earliest(), timeout_seconds)

    # After DeleteRecords, until the segments are gone from its disk, Kafka says of a time in one of them that nothing
    # follows. Where the newest record is not older than that time, neither is the first one that is left.
    def without_answer(partition: int) -> int:
        return firsts[partition] if newest[partition].timestamp >= at[partition] else ends[partition]

    return {p: without_answer(p) if answer.offset < 0 else answer.offset for p, answer in found.items()}


def _list(
    client: AdminClient,
    topic: str,
    specs: Mapping[int, OffsetSpec],
    timeout_seconds: float,
    isolation: IsolationLevel = IsolationLevel.READ_COMMITTED,
) -> Mapping[int, ListOffsetsResultInfo]:
    if not specs:
        return {}
    wanted = {TopicPartition(topic, partition): spec for partition, spec in specs.items()}
    asked = client.list_offsets(wanted, isolation_level=isolation, request_timeout=timeout_seconds)
    return {at.partition: answer.result() for at, answer in asked.items()}


def sound(places: Iterable[TopicPartition]) -> Iterator[TopicPartition]:
    """Yields the partitions of an answer, each of which may hold an error of its own instead of an offset.

    Raises KafkaException for the first such error: such an offset looks like that of a partition without any.
    """
    for place in places:
        if place.error is not None:
            raise KafkaException(place.error)
        yield place


@contextmanager
def kafka_errors(settings: Settings) -> Iterator[None]:
    """Translates the KafkaException of a request inside into LogUnavailable."""
    try:
        yield
    except KafkaException as error:
        text = f"Kafka at {settings.bootstrap_servers} does not answer as it should: {error.args[0].str()}"
        raise LogUnavailable(text) from error
