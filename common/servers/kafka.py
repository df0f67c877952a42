"""Kafka for every layer: how clients are configured, and the log's identity and offsets (R1, R8). Produces nothing."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

import stamina
from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ListOffsetsResultInfo, OffsetSpec
from stamina.instrumentation import set_on_retry_hooks

from common.errors import LogError, LogUnavailable
from common.servers.log_identity import LogIdentity
from common.servers.patience import report_retry
from common.settings import Settings

TIMEOUT_SECONDS: Final = 15.0
"""How long the answer to a question is waited for."""
CONNECT_SECONDS: Final = 5.0
"""How long a command waits for it before it begins."""
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
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    }
)
"""What Kafka answers while a controller, leader or coordinator is being elected, or does not know of that yet."""
ELECTION_SECONDS: Final = 3.0
"""How long an election is waited for. A worker's heartbeat waits as long, and is silent from 10 s on."""
ATTEMPTS: Final = 20
PAUSE_SECONDS: Final = 0.05
"""Between attempts to learn what a partition's newest record is."""
T = TypeVar("T")


def admin(settings: Settings) -> AdminClient:
    """Returns a client that is not connected yet; `ask` has one that is. It must outlive the futures that it gives."""
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


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What `ask` gives to a question: an admin client that is connected, and the time that the question has.

    Every request raises KafkaException, which `ask` translates.
    """

    client: AdminClient
    until: float
    """In seconds of `monotonic`."""
    monotonic: Callable[[], float]

    def left(self) -> float:
        """Returns how many seconds are left; a request that is given none fails at once."""
        return max(self.until - self.monotonic(), 0.0)

    def connect(self, topic: str) -> None:
        """Lets the client learn who the controller is, and who leads the topic if it exists.

        A client asks for both as it connects, and not again for long (librdkafka 2.16.0). If the answer is that there
        is no controller, it waits its whole timeout for one, or ends the process, where it describes a cluster. If its
        first request is to the leader of a partition, it waits 3 s or its whole timeout one time in seventy, since that
        crosses with what it asks on its own: 20 of 1,500, and 0 of 6,000 that were connected so (docs/adr/0048).
        """
        if self.client.list_topics(topic, timeout=self.left()).controller_id < 0:
            raise KafkaException(KafkaError(KafkaError.NOT_CONTROLLER, "there is no controller at the moment"))

    def identity(self, topic: str) -> LogIdentity:
        """Returns the topic's id and partition count. Raises LogError if it does not exist."""
        asked = self.client.describe_topics(TopicCollection([topic]), request_timeout=self.left())
        try:
            found = asked[topic].result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise LogError(f"topic {topic!r} does not exist; `lambda360 schema apply` creates it") from error
            raise
        return LogIdentity(topic, str(found.topic_id), len(found.partitions))

    def first_offsets(self, topic: str, partitions: Iterable[int]) -> Mapping[int, int]:
        """Returns the first offset that each of these partitions still holds."""
        return self._offsets(topic, dict.fromkeys(partitions, OffsetSpec.earliest()))

    def end_offsets(self, topic: str, partitions: Iterable[int]) -> Mapping[int, int]:
        """Returns each partition's last stable offset: readers of committed records get all below it."""
        specs = dict.fromkeys(partitions, OffsetSpec.latest())
        return self._offsets(topic, specs, IsolationLevel.READ_COMMITTED)

    def last_offsets(self, topic: str, partitions: Iterable[int]) -> Mapping[int, int]:
        """Returns the offset after each partition's last record, which may be one of an open transaction."""
        return self._offsets(topic, dict.fromkeys(partitions, OffsetSpec.latest()))

    def offsets_since(self, topic: str, at: Mapping[int, int]) -> Mapping[int, int]:
        """Returns by partition the first offset that was appended at or after the time `at`.

        It is the last stable offset where no record below that is so new. Times are in milliseconds since the epoch,
        and do not go back within a partition. What is appended meanwhile lies at the offset that is returned, or above.
        """
        settled: dict[int, int] = {}
        for _ in range(ATTEMPTS):
            settled |= self._settled(topic, {p: millis for p, millis in at.items() if p not in settled})
            if len(settled) == len(at):
                return settled
            time.sleep(PAUSE_SECONDS)
        raise KafkaException(KafkaError(KafkaError.OFFSET_NOT_AVAILABLE, "the newest record is being replicated"))

    def _settled(self, topic: str, at: Mapping[int, int]) -> Mapping[int, int]:
        """Returns `offsets_since`, without partitions of which that cannot be said at the moment.

        Kafka answers in three cases that no record is so new:
        1. The newest record is older. The end is meant.
        2. The newest record is not older. Kafka searched a segment whose records DeleteRecords removed, and which is
           still on its disk. The first offset that is left is meant.
        3. The newest record has no time, since it is being replicated. The end is meant, unless there is such a
           segment. Then no record is as new as the time 0 either, and nothing can be said.
        """
        # READ_UNCOMMITTED, since READ_COMMITTED gives no time if the newest record is of an open transaction. Both it
        # and the ends are asked for before the offset: what is appended between them must not be passed over.
        newest = self._list(topic, dict.fromkeys(at, OffsetSpec.max_timestamp()))
        ends = self.end_offsets(topic, at)
        undated = {partition for partition, record in newest.items() if record.timestamp < 0}
        hidden = self._hidden(topic, undated)
        found = self._offsets(topic, {p: OffsetSpec.for_timestamp(millis) for p, millis in at.items()})
        unfound = {partition for partition, offset in found.items() if offset < 0}
        firsts = self.first_offsets(topic, unfound)
        hidden |= self._hidden(topic, undated & unfound)  # such a segment may have come or gone meanwhile
        settled = {partition: min(offset, ends[partition]) for partition, offset in found.items() if offset >= 0}
        for partition in unfound:
            if newest[partition].timestamp >= at[partition]:
                settled[partition] = firsts[partition]
            elif partition not in hidden or firsts[partition] >= ends[partition]:
                settled[partition] = ends[partition]
        return settled

    def _hidden(self, topic: str, partitions: Iterable[int]) -> set[int]:
        """Returns the partitions in which Kafka finds no record at all by time: empty ones, and those of case 3."""
        found = self._offsets(topic, dict.fromkeys(partitions, OffsetSpec.for_timestamp(0)))
        return {partition for partition, offset in found.items() if offset < 0}

    def _offsets(
        self,
        topic: str,
        specs: Mapping[int, OffsetSpec],
        isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED,
    ) -> Mapping[int, int]:
        return {partition: found.offset for partition, found in self._list(topic, specs, isolation).items()}

    def _list(
        self,
        topic: str,
        specs: Mapping[int, OffsetSpec],
        isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED,
    ) -> Mapping[int, ListOffsetsResultInfo]:
        if not specs:
            return {}
        wanted = {TopicPartition(topic, partition): spec for partition, spec in specs.items()}
        asked = self.client.list_offsets(wanted, isolation_level=isolation, request_timeout=self.left())
        return {at.partition: answer.result() for at, answer in asked.items()}


def ask(
    settings: Settings,
    question: Callable[[Inquiry], T],
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    monotonic: Callable[[], float] = time.monotonic,
) -> T:
    """Returns what `question` gets by a new admin client. The question must be idempotent.

    While there is no controller, or no leader of a partition, as for a moment after a broker came back, the question is
    repeated by another client for ELECTION_SECONDS. Raises LogUnavailable for any KafkaException, and so after
    `timeout_seconds` if Kafka does not answer, as far as the question gives its requests what is left of them.
    """
    until = monotonic() + timeout_seconds

    def once() -> T:
        inquiry = Inquiry(admin(settings), until, monotonic)
        with kafka_errors(settings):
            inquiry.connect(settings.log.topic)
            return question(inquiry)

    set_on_retry_hooks([report_retry])
    again = stamina.RetryingCaller(attempts=None, timeout=ELECTION_SECONDS, wait_max=0.5, wait_jitter=0.1)
    return again(_is_being_elected, once)


def _is_being_elected(error: Exception) -> bool:
    cause = error.__cause__
    return isinstance(cause, KafkaException) and cause.args[0].code() in ELECTIONS


def topic_identity(settings: Settings, topic: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> LogIdentity:
    """Returns the id and the partition count that Kafka has for `topic` now.

    Raises LogError if the topic does not exist, LogUnavailable if Kafka does not answer.
    """
    return ask(settings, lambda inquiry: inquiry.identity(topic), timeout_seconds=timeout_seconds)


def first_offsets(settings: Settings, partitions: int) -> Mapping[int, int]:
    """Returns the first offset that each partition of the log still holds. Raises LogUnavailable."""
    return ask(settings, lambda inquiry: inquiry.first_offsets(settings.log.topic, range(partitions)))


def end_offsets(settings: Settings, partitions: int, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Mapping[int, int]:
    """Returns each partition's last stable offset: readers of committed records get all below it, and none above.

    Raises LogUnavailable.
    """
    topic, of = settings.log.topic, range(partitions)
    return ask(settings, lambda inquiry: inquiry.end_offsets(topic, of), timeout_seconds=timeout_seconds)


def last_offsets(settings: Settings, partitions: int, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Mapping[int, int]:
    """Returns the offset after each partition's last record; it is above `end_offsets` while a transaction is open.

    Raises LogUnavailable.
    """
    topic, of = settings.log.topic, range(partitions)
    return ask(settings, lambda inquiry: inquiry.last_offsets(topic, of), timeout_seconds=timeout_seconds)


def offsets_at(settings: Settings, partitions: int, micros: int) -> Mapping[int, int]:
    """Returns each partition's first offset that was appended at or after `micros`, or its end where there is none.

    Kafka's times are in milliseconds: `micros` is rounded down to one. Raises LogUnavailable.
    """
    at = dict.fromkeys(range(partitions), micros // 1000)
    return ask(settings, lambda inquiry: inquiry.offsets_since(settings.log.topic, at))


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
