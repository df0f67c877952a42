"""Dead letters in Cassandra. Each write has the offset of its record as timestamp, so it is idempotent (R11)."""

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec
from cassandra.query import UNSET_VALUE, BatchStatement, BatchType, BoundStatement

from common.log.dead_letters import Address, Rejection, address_in, is_kept_whole, letter_cells
from common.servers.cassandra import AsyncSession
from common.speed_cql import insert_letter
from common.tables import Tables
from speed_layer.apply.dead_letter import DeadLetter

COMPARED: Final = 8
"""The most rows read at once to find the letter that a record replays. Each may hold a mebibyte."""


class LetterTable:
    """The worker's side of `dead_letters`. What operators did is in columns of its own."""

    def __init__(self, session: AsyncSession) -> None:
        self._session, prepare = session, session.driver.prepare
        self._comparing = asyncio.Semaphore(COMPARED)
        self._insert = prepare(insert_letter())
        self._reject_again = prepare(
            f"UPDATE {Tables.dead_letters} USING TIMESTAMP ? SET rejections[?] = ? "
            "WHERE day = ? AND kafka_partition = ? AND kafka_offset = ?"
        )
        self._bytes = prepare(
            f"SELECT key, value, key_bytes, value_bytes FROM {Tables.dead_letters} "
            "WHERE day = ? AND kafka_partition = ? AND kafka_offset = ?"
        )

    async def row_of(self, letter: DeadLetter) -> Address:
        """Returns the row of the letter: its own, or that of the letter that it replays. Raises StoreUnavailable."""
        original = address_in(letter.headers)
        return original if original is not None and await self._holds(original, letter) else letter.address

    async def keep(self, entries: Sequence[tuple[DeadLetter, Address]]) -> None:
        """Store letters whose rows share day and partition, in one mutation. Idempotent.

        Raises StoreUnavailable.
        """
        statements = [self._statement(letter, row) for letter, row in entries]
        if len(statements) == 1:
            await self._session.execute(statements[0])
            return
        batch = BatchStatement(batch_type=BatchType.UNLOGGED)
        for statement in statements:
            batch.add(statement)
        await self._session.execute(batch)

    def _statement(self, letter: DeadLetter, row: Address) -> BoundStatement:
        if row != letter.address:
            said = msgspec.json.encode(Rejection.of(letter.rejection, letter.appended_at)).decode()
            return self._reject_again.bind((letter.position.offset, str(letter.position), said, row.day, *row.position))
        cells = letter_cells(letter.position, letter.appended_at, letter.key, letter.value, letter.rejection)
        # Null cells are left unset, since a written null is a tombstone.
        return self._insert.bind((letter.position.offset, *(UNSET_VALUE if cell is None else cell for cell in cells)))

    async def _holds(self, original: Address, letter: DeadLetter) -> bool:
        """Whether that row holds the same bytes, of an earlier record: anybody can write the header."""
        own = letter.address
        later = original.position.partition == own.position.partition and original.position >= own.position
        if later or original.day > own.day or not is_kept_whole(letter.key, letter.value):
            return False
        async with self._comparing:
            rows = await self._session.execute(self._bytes, (original.day, *original.position))
            return any(
                (row.key, row.key_bytes) == _with_length(letter.key)
                and (row.value, row.value_bytes) == _with_length(letter.value)
                for row in rows
            )


def _with_length(content: bytes | None) -> tuple[bytes | None, int | None]:
    return content, None if content is None else len(content)
