"""Dead letters on their way: rejected records are stored in a table, then published (R14)."""

import asyncio
import base64
import json
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final, Protocol

import structlog

from common.algebra.dates import datetime_of
from common.log.dead_letters import MAX_KEY_BYTES, Address, Rejection
from common.portions import portions
from common.servers.retry import Retry
from common.settings import Settings
from speed_layer.apply.dead_letter import DeadLetter
from speed_layer.publish.publisher import MAX_BYTES, Outgoing, Publisher

log = structlog.get_logger(__name__)
LINES: Final = 5
"""Of the records rejected together, so many are logged one by one; the others are counted."""
BATCH: Final = 20
BATCH_BYTES: Final = 30_000
"""The most letters, and bytes of their records, in one statement. Cassandra's default limit is 50 KiB."""
ROW_BYTES: Final = 1500
"""The bytes of a row besides its record, about."""
GROUP: Final = 500
GROUP_BYTES: Final = 4 * 2**20
"""The most letters, and bytes of their records, that are stored and published together.

A single larger letter is a group of its own.
"""


Entry = tuple[DeadLetter, Address]
"""A letter and the address of its row."""


class Table(Protocol):
    """Where letters are kept: see `LetterTable`."""

    async def row_of(self, letter: DeadLetter) -> Address: ...

    async def keep(self, entries: Sequence[Entry]) -> None: ...


class DeadLetters:
    """Stores and publishes rejected records: first the row, then the message that names it."""

    def __init__(self, settings: Settings, table: Table, retry: Retry, publisher: Publisher) -> None:
        self._topic, self._table, self._retry, self._publisher = settings.log.errors_topic, table, retry, publisher

    async def publish(self, letters: Sequence[DeadLetter]) -> None:
        """Store every letter and publish it. Returns once all is acknowledged, however long that takes.

        Idempotent: a redelivered record writes the same row, and is published again with the same id and bytes.
        """
        for letter in letters[:LINES]:
            log.warning("record_rejected", record=str(letter.position), error=letter.rejection)
        if len(letters) > LINES:
            log.warning("records_rejected", more=len(letters) - LINES)
        for group in groups(letters):
            await self._publish(group)

    async def _publish(self, group: Sequence[DeadLetter]) -> None:
        async with asyncio.TaskGroup() as tasks:
            found = [tasks.create_task(self._row_of(letter)) for letter in group]
        entries = [(letter, task.result()) for letter, task in zip(group, found, strict=True)]
        async with asyncio.TaskGroup() as tasks:
            for together in mutations(entries):
                tasks.create_task(self._keep(together))
        messages = await self._publisher.made(lambda: [message(self._topic, *entry) for entry in entries])
        await self._publisher.publish(messages)

    async def _row_of(self, letter: DeadLetter) -> Address:
        return await self._retry.until_done(lambda: self._table.row_of(letter))

    async def _keep(self, entries: Sequence[Entry]) -> None:
        await self._retry.until_done(lambda: self._table.keep(entries))


def mutations(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """Yields the entries grouped by day and partition of their rows. Each group is one small mutation."""
    by_key: dict[tuple[date, int], list[Entry]] = {}
    for letter, row in entries:
        by_key.setdefault((row.day, row.position.partition), []).append((letter, row))
    for same_key in by_key.values():
        yield from portions(same_key, lambda entry: _weight(entry[0]) + ROW_BYTES, BATCH, BATCH_BYTES)


def groups(letters: Sequence[DeadLetter]) -> Iterator[Sequence[DeadLetter]]:
    """Yields the letters, in order, in groups of at most `GROUP` letters and `GROUP_BYTES` bytes."""
    return portions(letters, _weight, GROUP, GROUP_BYTES)


def message(topic: str, letter: DeadLetter, row: Address) -> Outgoing:
    """Returns the message of a letter. Bytes and key that are too large for Kafka are left out."""
    key = letter.key if len(letter.key or b"") <= MAX_KEY_BYTES else None
    body = encode(letter, row, with_bytes=_weight(letter) <= MAX_BYTES)
    if len(body) + len(key or b"") > MAX_BYTES - 10_000:
        body = encode(letter, row, with_bytes=False)
    return Outgoing(topic, key, body, letter.position.partition)


def encode(letter: DeadLetter, row: Address, *, with_bytes: bool = True) -> bytes:
    """Returns the letter as JSON. Without its bytes it still names their position in the log.

    `id` is the rejected record's own position. `letter` is that of its row: another one if it is a rejected replay.
    """
    rejection = Rejection.of(letter.rejection, letter.appended_at)
    body = {
        "id": str(letter.position),
        "letter": str(row.position),
        "topic": letter.topic,
        "partition": letter.position.partition,
        "offset": letter.position.offset,
        "appended_at": datetime_of(letter.appended_at).isoformat(),
        "field": rejection.field,
        "value": rejection.value,
        "rule": rejection.rule,
        "key_base64": _base64(letter.key) if with_bytes else None,
        "value_base64": _base64(letter.value) if with_bytes else None,
        "key_bytes": None if letter.key is None else len(letter.key),
        "value_bytes": None if letter.value is None else len(letter.value),
    }
    return json.dumps(body).encode()


def _weight(letter: DeadLetter) -> int:
    return len(letter.key or b"") + len(letter.value or b"")


def _base64(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()
