"""What Kafka's client raises or reports, in our words: being away is not being another log (R1, R14)."""

from unittest.mock import Mock

import pytest
from confluent_kafka import KafkaError, KafkaException

from common.errors import LogError, LogUnavailable
from common.servers import kafka
from common.servers.kafka import kafka_errors, topic_identity
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
    client.describe_topics.return_value = {"orders": answer}
    monkeypatch.setattr(kafka, "admin", lambda settings: client)

    with pytest.raises(kind, match=text):
        topic_identity(SETTINGS, "orders")


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
