"""Records into the log, each acknowledged by Kafka or reported."""

from typing import Final

from confluent_kafka import KafkaError, Message

from common.servers.producer import producer, undelivered
from common.settings import Settings

DELIVERY_TIMEOUT_MS: Final = 60_000
"""How long the client retries one record before it is given up."""
POLL_EVERY: Final = 500


class Sender:
    """A producer that counts what was acknowledged, and stops at the first record that finally was not."""

    def __init__(self, settings: Settings) -> None:
        self._producer = producer(settings, **{"message.timeout.ms": DELIVERY_TIMEOUT_MS})
        self._topic = settings.log.topic
        self._failure: KafkaError | None = None
        self.handed_over = 0
        self.acknowledged = 0

    def send(self, key: bytes, value: bytes) -> None:
        """The record is on its way. Raises LogUnavailable or LogError if an earlier one failed."""
        while True:
            try:
                self._producer.produce(self._topic, value=value, key=key, on_delivery=self._delivered)
                break
            except BufferError:  # the client's queue is full: wait for room
                self._producer.poll(0.2)
                self._check()
        self.handed_over += 1
        if self.handed_over % POLL_EVERY == 0:
            self._producer.poll(0)
            self._check()

    def finish(self) -> None:
        """Every record sent is acknowledged. Raises LogUnavailable if one was not, in time, LogError if refused."""
        while self.acknowledged < self.handed_over:
            self._producer.flush(0.5)
            self._check()

    def abandon(self, seconds: float) -> None:
        """What is under way gets `seconds` to be acknowledged; the rest is dropped."""
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
        failure, self._failure = self._failure, None
        self.abandon(0.1)
        text = (
            f"Kafka did not take a record: {failure.str()}. {self.acknowledged} records were acknowledged; running the "
            "same command again is safe: what is there already changes no answer"
        )
        raise undelivered(failure, text)
