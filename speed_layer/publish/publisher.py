"""Publishing to topics beside the log: acknowledged by all replicas, in messages that know their place (R14)."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as KafkaMessage

from common.errors import LogUnavailable
from common.log.copies import Copy, alert_event, delta_event
from common.servers.producer import producer
from common.servers.retry import Retry
from common.settings import Settings

MAX_BYTES: Final = 2 * 2**20
"""The largest message of any topic beside the log: a record of the log in base64, and what is said about it."""


class Outgoing(NamedTuple):
    """A message on its way; without a partition the key's own is taken."""

    topic: str
    key: bytes | None
    value: bytes
    partition: int = -1


class Publisher:
    """One producer for all topics, with a background thread of its own.

    A message that failed is sent anew with those it was given with, so some may come twice: their ids say so.
    """

    def __init__(self, settings: Settings, retry: Retry) -> None:
        self._settings, self._retry = settings, retry
        self._seconds = settings.speed.publish_timeout_seconds
        self._producer: Producer | None = None
        self.published: Counter[str] = Counter()
        """Messages acknowledged so far, by topic."""

    async def publish(self, make: Callable[[], Sequence[Outgoing]]) -> None:
        """Return once every message that `make` gives is acknowledged, however long that takes.

        `make` is called off the event loop, once.
        """
        messages = await asyncio.to_thread(make)
        if messages:
            await self._retry.until_done(lambda: asyncio.to_thread(self._send, messages))
            self.published.update(message.topic for message in messages)

    def _send(self, messages: Sequence[Outgoing]) -> None:
        """Send them all. Raises LogUnavailable if one is not acknowledged in time."""
        failures: list[str] = []
        left = len(messages)

        def delivered(error: KafkaError | None, _: KafkaMessage) -> None:
            nonlocal left
            left -= 1
            if error is not None:
                failures.append(error.str())

        client = self._ready()
        try:
            for message in messages:
                topic, key, value, partition = message
                client.produce(topic, value, key, partition, on_delivery=delivered)
            client.flush(self._seconds)
        except (BufferError, KafkaException) as error:
            failures.append(str(error))
        if failures or left:
            self._producer = None  # what it still holds is sent anew, by another one
            client.purge()
            reason = failures[0] if failures else f"{left} not acknowledged in {self._seconds:g} s"
            raise LogUnavailable(f"Kafka does not take what is published: {reason}")

    def _ready(self) -> Producer:
        if self._producer is None:
            limits = {"message.max.bytes": MAX_BYTES, "queue.buffering.max.messages": 1_000_000}
            timeout = {"message.timeout.ms": round(self._seconds * 1000)}
            self._producer = producer(self._settings, **limits, **timeout)
        return self._producer


class Copies:
    """The stored rows' way to their topics, `customer_deltas` and `customer_alerts`."""

    def __init__(self, settings: Settings, publisher: Publisher, logic_version: str) -> None:
        self._deltas, self._alerts = settings.log.deltas_topic, settings.log.alerts_topic
        self._publisher, self._logic_version = publisher, logic_version

    async def publish(self, copies: Sequence[Copy]) -> None:
        """Return once each copy, and each of its alerts, is acknowledged in its topic, in the copies' order."""
        if copies:
            await self._publisher.publish(lambda: list(self._messages(copies)))

    def _messages(self, copies: Iterable[Copy]) -> Iterable[Outgoing]:
        for copy in copies:
            key = copy.customer_id.encode()
            yield Outgoing(self._deltas, key, delta_event(copy, self._logic_version), copy.partition)
            for alert in copy.alerts:
                yield Outgoing(self._alerts, key, alert_event(copy, alert), copy.partition)
