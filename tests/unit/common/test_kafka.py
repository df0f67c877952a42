"""What Kafka's client raises or reports, in our words: being away is not being another log (R1, R14)."""

from collections.abc import Callable
from unittest.mock import Mock

import pytest
import stamina
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from common.errors import LogError, LogUnavailable
from common.servers import kafka
from common.servers.kafka import (
    ELECTIONS,
    end_offsets,
    first_offsets,
    kafka_errors,
    last_offsets,
    offsets_at,
    sound,
    topic_identity,
)
from common.servers.producer import undelivered
from common.settings import LogSettings, Settings

SETTINGS = Settings(log=LogSettings(bootstrap_servers="broker:9092"))


def test_a_request_that_fails_means_that_kafka_does_not_answer() -> None:
    failure = KafkaException(KafkaError(KafkaError._TIMED_OUT, "timed out"))

    with pytest.raises(LogUnavailable, match="Kafka at broker:9092 does not answer") as raised, kafka_errors(SETTINGS):
        raise failure

    assert raised.value.__cause__ is failure


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        (KafkaError.UNKNOWN_TOPIC_OR_PART, LogError, "topic 'orders' does not exist; `lambda360 schema apply`"),
        (KafkaError._TIMED_OUT, LogUnavailable, "does not answer"),
    ],
)
def test_a_topic_that_is_not_there_is_told_from_a_kafka_that_is_not(
    monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception], text: str
) -> None:
    """R1."""
    answer = Mock()
    answer.result.side_effect = KafkaException(KafkaError(code))
    client = Mock()
    client.list_topics.return_value.controller_id = 1
    client.describe_topics.return_value = {"orders": answer}
    monkeypatch.setattr(kafka, "admin", lambda settings: client)

    with pytest.raises(kind, match=text):
        topic_identity(SETTINGS, "orders")


class Elected:
    """An admin client of one partition. A request to it fails so many times with the code, and then is answered.

    While `controllers` are left, a client is told that there is no controller.
    """

    def __init__(self, code: int, failures: int, controllers: int = 0) -> None:
        self._code, self._left, self._away, self.asked = code, failures, controllers, 0

    def list_topics(self, *_: object, **__: object) -> Mock:
        self._away -= 1
        return Mock(controller_id=-1 if self._away >= 0 else 1)

    def describe_topics(self, *_: object, **__: object) -> dict[str, Mock]:
        return {SETTINGS.log.topic: self._answer(topic_id="one", partitions=[None])}

    def list_offsets(self, *_: object, **__: object) -> dict[TopicPartition, Mock]:
        return {TopicPartition(SETTINGS.log.topic, 0): self._answer(offset=7, timestamp=0)}

    def _answer(self, **of: object) -> Mock:
        self.asked += 1
        self._left -= 1
        failed = KafkaException(KafkaError(self._code))
        return Mock(result=Mock(side_effect=failed) if self._left >= 0 else Mock(return_value=Mock(**of)))


QUESTIONS = [
    lambda: topic_identity(SETTINGS, SETTINGS.log.topic),
    lambda: first_offsets(SETTINGS, 1),
    lambda: end_offsets(SETTINGS, 1),
    lambda: last_offsets(SETTINGS, 1),
    lambda: offsets_at(SETTINGS, 1, 0),
]


@pytest.mark.parametrize("code", sorted(ELECTIONS))
@pytest.mark.parametrize("ask", QUESTIONS)
def test_a_leader_that_is_being_elected_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[], object], code: int
) -> None:
    """R14: for a moment after its broker came back a partition has no leader, and that is no reason to give up."""
    soon, never = Elected(code, failures=3), Elected(code, failures=10**6)
    with stamina.set_testing(True, attempts=10):
        monkeypatch.setattr(kafka, "admin", lambda settings: soon)
        ask()
        monkeypatch.setattr(kafka, "admin", lambda settings: never)
        with pytest.raises(LogUnavailable):
            ask()
    assert soon.asked > 3
    assert never.asked == 10


@pytest.mark.parametrize("ask", QUESTIONS)
def test_a_client_that_finds_no_controller_asks_nothing_more_and_another_one_does(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[], object]
) -> None:
    """R14: what it asks would wait for its whole timeout, or end the process."""
    soon, never = (Elected(KafkaError.NO_ERROR, failures=0, controllers=away) for away in (3, 10**6))
    with stamina.set_testing(True, attempts=10):
        monkeypatch.setattr(kafka, "admin", lambda settings: soon)
        ask()
        monkeypatch.setattr(kafka, "admin", lambda settings: never)
        with pytest.raises(LogUnavailable, match="there is no controller at the moment"):
            ask()
    assert soon.asked > 0
    assert never.asked == 0


def test_a_question_has_one_deadline_whatever_it_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request is given what those before it left."""
    clock, given = iter(range(100)), list[float]()
    answer = {"log": Mock(result=Mock(return_value=Mock(topic_id="id", partitions=[None])))}

    def list_topics(_: str, timeout: float) -> Mock:
        given.append(timeout)
        return Mock(controller_id=1)

    def describe_topics(_: object, request_timeout: float) -> dict[str, Mock]:
        given.append(request_timeout)
        return answer

    client = Mock(list_topics=list_topics, describe_topics=describe_topics)
    monkeypatch.setattr(kafka, "admin", lambda settings: client)

    def question(inquiry: kafka.Inquiry) -> None:
        for _ in range(4):
            inquiry.identity("log")

    kafka.ask(SETTINGS, question, timeout_seconds=3.0, monotonic=lambda: float(next(clock)))

    assert given == [2.0, 1.0, 0.0, 0.0, 0.0], "a second passes with each look at the clock"


def test_a_partition_that_has_an_error_is_not_one_without_an_offset() -> None:
    """R12: neither fresh, so that it could begin anywhere, nor read by nobody, so that it could be removed."""
    good, failed = (
        TopicPartition("t", 0, -1001),
        Mock(error=KafkaError(KafkaError.UNSTABLE_OFFSET_COMMIT), offset=-1001),
    )
    assert list(sound([good])) == [good]
    with pytest.raises(KafkaException, match="UNSTABLE_OFFSET_COMMIT"):
        list(sound([good, failed]))


def test_nothing_else_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller that waits for Kafka has its own patience, and a request that timed out has used it up."""
    away = Elected(KafkaError._TIMED_OUT, failures=10**6)
    monkeypatch.setattr(kafka, "admin", lambda settings: away)
    with stamina.set_testing(True, attempts=10), pytest.raises(LogUnavailable):
        end_offsets(SETTINGS, 1)
    assert away.asked == 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (KafkaError._MSG_TIMED_OUT, LogUnavailable),
        (KafkaError.MSG_SIZE_TOO_LARGE, LogError),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, LogError),
    ],
)
def test_a_record_that_was_refused_is_told_from_one_that_was_not_acknowledged_in_time(
    code: int, kind: type[Exception]
) -> None:
    error = undelivered(KafkaError(code), "not taken")

    assert (type(error), str(error)) == (kind, "not taken")
