"""Sends records to the log, and raises an error if Kafka does not acknowledge one."""

from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message

from common.servers.kafka import MAX_BYTES
from common.servers.producer import producer, undelivered
from common.settings import Settings

DELIVERY_TIMEOUT_MS: Final = 60_000
"""How long the client retries one record before it reports a failure."""
POLL_EVERY: Final = 500
"""Records between two looks at what was acknowledged."""
BY_KEY: Final = -1
"""Leaves the partition to the client, which finds it from the key (R1)."""


class Sender:
    """Sends records and counts those that were acknowledged. It stops at the first record that failed.

    `advice` says in the error's text what may be done then.
    """

    def __init__(self, settings: Settings, advice: str) -> None:
        limits = {"message.timeout.ms": DELIVERY_TIMEOUT_MS, "message.max.bytes": MAX_BYTES}
        self._producer = producer(settings, **limits)
        self._topic = settings.log.topic
        self._advice = advice
        self._failure: KafkaError | None = None
        self.handed_over = 0
        self.acknowledged = 0

    def send(self, key: bytes | None, value: bytes | None, partition: int = BY_KEY) -> None:
        """Hands the record to the client, which sends it. Raises LogUnavailable or LogError for an earlier record."""
        while True:
            try:
                self._producer.produce(self._topic, value, key, partition, on_delivery=self._delivered)
                break
            except KafkaException as error:
                self._failure = error.args[0]
                self._check()
            except BufferError:  # the client's queue is full: wait for room
                self._producer.poll(0.2)
                self._check()
        self.handed_over += 1
        if self.handed_over % POLL_EVERY == 0:
            self._producer.poll(0)
            self._check()

    def finish(self) -> None:
        """Waits until every record is acknowledged.

        Raises LogUnavailable if one is not acknowledged in time, LogError if one is refused.
        """
        while self.acknowledged < self.handed_over:
            self._producer.flush(0.5)
            self._check()

    def abandon(self, seconds: float) -> None:
        """Waits at most `seconds` for acknowledgements, and drops the records that are still without one."""
        self._producer.flush(seconds)
        self._producer.purge()
        self._producer.flush(1.0)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.acknowledged += 1
        elif self._failure is None:
            self._failure = error

    def _check(self) -> None:
        if self._failure is None:
            return
        failure = self._failure
        self._failure = None
        self.abandon(0.1)
        told = f"{self.acknowledged} records were acknowledged"
        text = f"Kafka did not take a record: {failure.str()}. {told}; {self._advice}"
        raise undelivered(failure, text)
