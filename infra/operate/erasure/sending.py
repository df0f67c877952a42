"""Appends an erasure's record to the log, and waits for its position."""

from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message

from common.servers.producer import producer, undelivered
from common.settings import Settings

TIMEOUT_MS: Final = 30_000
"""How long the client retries the record before it reports a failure."""


def send(settings: Settings, *, key: bytes, value: bytes, partition: int) -> int:
    """Returns the record's offset once all replicas hold it.

    Raises LogUnavailable if it is not acknowledged in time, when it may be in the log, and LogError if it is refused.
    """
    offsets: list[int] = []
    failures: list[KafkaError] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is None:
            offsets.append(message.offset() or 0)
        else:
            failures.append(error)

    client = producer(settings, **{"message.timeout.ms": TIMEOUT_MS})
    try:
        client.produce(settings.log.topic, value, key, partition, on_delivery=delivered)
    except KafkaException as error:
        failures.append(error.args[0])
    while not (offsets or failures):
        client.flush(0.5)
    if failures:
        text = (
            f"Kafka did not acknowledge the erasure: {failures[0].str()}. Run the same command again: a second erasure "
            "forgets what the first one left, and what came in between"
        )
        raise undelivered(failures[0], text)
    return offsets[0]
