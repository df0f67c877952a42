"""Publishing to topics beside the log: acknowledged by all replicas, each message with its record's position (R14)."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as KafkaMessage

from common.errors import LogUnavailable
from common.servers.off_loop import OffLoop
from common.servers.producer import producer
from common.servers.retry import Retry
from common.settings import Settings

MAX_BYTES: Final = 2 * 2**20
"""The largest message of any topic beside the log: a record of the log in base64, and what is said about it."""


class Outgoing(NamedTuple):
    """A message to be produced. Partition -1 leaves the choice to the producer, by the key."""

    topic: str
    key: bytes | None
    value: bytes
    partition: int = -1


Send = Callable[[Sequence[Outgoing]], Awaitable[None]]
"""Returns once every message is acknowledged. Raises LogUnavailable if one is not, in time."""


class Publisher:
    """Has messages sent until they are acknowledged.

    A message that failed is sent again with those it was given with, so some may come twice: their ids say so.
    """

    def __init__(self, send: Send, retry: Retry, off_loop: OffLoop = asyncio.to_thread) -> None:
        self._send = send
        self._retry = retry
        self._off_loop = off_loop
        self.copied: Counter[str] = Counter()
        """Messages acknowledged so far, by topic."""

    async def made(self, make: Callable[[], Sequence[Outgoing]]) -> Sequence[Outgoing]:
        """Returns what `make` gives, which is called off the event loop, once."""
        return await self._off_loop(make)

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Return once every message is acknowledged, however long that takes."""
        if messages:
            await self._retry.until_done(lambda: self._send(messages))
            self.copied.update(message.topic for message in messages)


class KafkaSender:
    """A `Send` to Kafka: one producer for all topics, with a background thread of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._seconds = settings.speed.publish_timeout_seconds
        self._producer: Producer | None = None

    async def __call__(self, messages: Sequence[Outgoing]) -> None:
        await asyncio.to_thread(self.send, messages)

    def send(self, messages: Sequence[Outgoing]) -> None:
        """Send them all, and wait. Raises LogUnavailable if one is not acknowledged in time."""
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
            self._producer = None  # what it still holds is sent again, by a new producer
            client.purge()
            reason = failures[0] if failures else f"{left} not acknowledged in {self._seconds:g} s"
            raise LogUnavailable(f"Kafka does not take what is published: {reason}")

    def _ready(self) -> Producer:
        if self._producer is None:
            limits = {"message.max.bytes": MAX_BYTES, "queue.buffering.max.messages": 1_000_000}
            timeout = {"message.timeout.ms": round(self._seconds * 1000)}
            self._producer = producer(self._settings, **limits, **timeout)
        return self._producer
