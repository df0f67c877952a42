"""What validation rejected (R14): published to the errors topic with position, rule and bytes, and acknowledged."""

import asyncio
import base64
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as KafkaMessage

from common.dates import datetime_of
from common.errors import RejectedRecord, StoreUnavailable, shorten
from common.kafka import producer
from common.settings import Settings
from speed_layer.retry import Retry

log = logging.getLogger(__name__)
MAX_BYTES: Final = 2 * 2**20
"""The errors topic's largest message: a record of the log in base64, and what is said about it."""
FLUSH_SECONDS: Final = 15.0
LINES: Final = 5
"""Rejected records named in the log one by one, of those that came together; the rest is counted."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A rejected record: the same one always makes the same letter, with the same id."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    appended_at: int
    rejection: RejectedRecord

    def encode(self, *, with_bytes: bool = True) -> bytes:
        """The letter as JSON; without its bytes it still says where they lie in the log."""
        body = {
            "id": f"{self.partition}:{self.offset}",
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "appended_at": datetime_of(self.appended_at).isoformat(),
            "field": self.rejection.field,
            "value": shorten(self.rejection.value, 200),
            "rule": self.rejection.rule,
            "key_base64": _base64(self.key) if with_bytes else None,
            "value_base64": _base64(self.value) if with_bytes else None,
            "value_bytes": None if self.value is None else len(self.value),
        }
        return json.dumps(body).encode()


class DeadLetters:
    """The errors topic's producer: one of its own, with a background thread."""

    def __init__(self, settings: Settings, retry: Retry) -> None:
        self._topic, self._settings, self._retry = settings.log.errors_topic, settings, retry
        self._producer: Producer | None = None

    async def publish(self, letters: Sequence[DeadLetter]) -> None:
        """Every letter is acknowledged by all replicas, however long that takes; some may have been sent twice."""
        for letter in letters[:LINES]:
            at = f"partition={letter.partition} offset={letter.offset}"
            log.warning("event=record_rejected %s error=%s", at, letter.rejection)
        if len(letters) > LINES:
            log.warning("event=records_rejected more=%d", len(letters) - LINES)
        if letters:
            await self._retry.until_done(lambda: asyncio.to_thread(self._send, letters))

    def _send(self, letters: Sequence[DeadLetter]) -> None:
        errors: list[KafkaError] = []
        for letter in letters:
            body = letter.encode()
            if len(body) + len(letter.key or b"") > MAX_BYTES - 10_000:
                body = letter.encode(with_bytes=False)
            self._produce(letter.key, body, errors)
        left = self._ready().flush(FLUSH_SECONDS)
        if errors or left:
            self._producer = None  # what it still holds is sent anew
            reason = errors[0].str() if errors else f"{left} letters not acknowledged in {FLUSH_SECONDS:.0f} s"
            raise StoreUnavailable(f"topic {self._topic!r} does not take the rejected records: {reason}")

    def _produce(self, key: bytes | None, body: bytes, errors: list[KafkaError]) -> None:
        def delivered(error: KafkaError | None, _: KafkaMessage) -> None:
            if error is not None:
                errors.append(error)

        try:
            self._ready().produce(self._topic, key=key, value=body, on_delivery=delivered)
        except (BufferError, KafkaException) as error:
            raise StoreUnavailable(f"the rejected records cannot be published: {error}") from error

    def _ready(self) -> Producer:
        if self._producer is None:
            self._producer = producer(self._settings, **{"message.max.bytes": MAX_BYTES})
        return self._producer


def _base64(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()
