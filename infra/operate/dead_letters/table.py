"""Reads dead letters from Cassandra and writes the operator's columns. The worker's columns are never written here."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from functools import cached_property
from typing import Any, Final

import msgspec
from cassandra import InvalidRequest
from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent_with_args

from common.errors import StackError, StoreUnavailable, UsageError
from common.log.dead_letters import Address, Discarded, Letter, Rejection
from common.log.position import Position
from common.servers.cassandra import UNAVAILABLE
from common.tables import Tables
from infra.operate.dead_letters.replay import Appended
from infra.operate.dead_letters.selection import Filter

ROWS_AT_ONCE: Final = 16
"""Rows in one page with values. A single row may take more than a mebibyte."""
LINES_AT_ONCE: Final = 500
"""Rows in one page without values."""
WRITES_AT_ONCE: Final = 16

_TABLE: Final = Tables.dead_letters
_COLUMNS: Final = (
    "day, kafka_partition, kafka_offset, appended_at, key, key_bytes, value_bytes, rejections, replays, discarded"
)
_DISCARDED: Final = msgspec.json.Decoder(Discarded)
_REJECTION: Final = msgspec.json.Decoder(Rejection)


class OperatorTable:
    """Reads and marks letters. Rows are read page by page, in the order of day, partition and offset.

    Every method raises StoreUnavailable if Cassandra does not answer.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        prepare = session.prepare
        with translated_errors():
            self._lines = prepare(f"SELECT {_COLUMNS} FROM {_TABLE} WHERE day = ? AND kafka_partition = ?")
            self._rows = prepare(f"SELECT {_COLUMNS}, value FROM {_TABLE} WHERE day = ? AND kafka_partition = ?")
            self._row = prepare(
                f"SELECT {_COLUMNS}, value FROM {_TABLE} WHERE day = ? AND kafka_partition = ? AND kafka_offset = ?"
            )
            self._replayed = prepare(
                f"UPDATE {_TABLE} USING TIMESTAMP ? SET replays[?] = ? "
                "WHERE day = ? AND kafka_partition = ? AND kafka_offset = ?"
            )
            self._discarded = prepare(
                f"UPDATE {_TABLE} USING TIMESTAMP ? SET discarded = ? "
                "WHERE day = ? AND kafka_partition = ? AND kafka_offset = ?"
            )
        self._lines.fetch_size = LINES_AT_ONCE
        self._rows.fetch_size = ROWS_AT_ONCE

    def letters(self, wanted: Filter, *, with_values: bool) -> Iterator[Letter]:
        """Yields the letters that `wanted` admits, in order. Unless `with_values`, `value` is None."""
        with translated_errors():
            for key in self._keys:
                if wanted.admits_key(*key):
                    rows = self.session.execute(self._rows if with_values else self._lines, key)
                    yield from filter(wanted.admits, _letters(rows))

    def addresses(self, ids: Sequence[Position]) -> list[Address]:
        """Returns the addresses of those letters. Raises UsageError for the first id that does not exist."""
        return [self.find(wanted).address for wanted in ids]

    def letter(self, address: Address) -> Letter | None:
        """Returns the letter with its value, or None if there is no such row."""
        with translated_errors():
            rows = self.session.execute(self._row, _key(address))
            return next(_letters(rows), None)

    def find(self, wanted: Position) -> Letter:
        """Returns the letter with its value. Raises UsageError if there is none."""
        for day, partition in self._keys:
            if partition == wanted.partition:
                found = self.letter(Address(day, wanted))
                if found is not None:
                    return found
        raise UsageError(
            "--id", str(wanted), "no such dead letter; `lambda360 dead-letters list --state all` shows them"
        )

    def mark_replayed(self, appended: Sequence[Appended]) -> None:
        """Writes each record's new position into its letter, with the new offset as timestamp. Idempotent.

        Tries every letter before it raises the first error: a letter without a mark may be appended twice.
        """
        arguments = [
            (each.position.offset, str(each.position), each.appended_at, *_key(each.letter)) for each in appended
        ]
        with translated_errors():
            results = execute_concurrent_with_args(
                self.session, self._replayed, arguments, concurrency=WRITES_AT_ONCE, raise_on_first_error=False
            )
            for written, error in results:
                if not written:
                    raise error

    def discard(self, address: Address, reason: Discarded) -> None:
        """Writes the operator's reason into the letter, with `reason.at` as timestamp. Idempotent."""
        with translated_errors():
            self.session.execute(self._discarded, (reason.at, msgspec.json.encode(reason).decode(), *_key(address)))

    def delete(self, address: Address) -> None:
        """Deletes the letter, for good: a worker that meets its record again does not bring it back. Idempotent."""
        where = "day = %s AND kafka_partition = %s AND kafka_offset = %s"
        with translated_errors():
            self.session.execute(f"DELETE FROM {_TABLE} WHERE {where}", _key(address))

    @cached_property
    def _keys(self) -> list[tuple[date, int]]:
        """The partition keys of the table, in order: a day and a partition of the log each."""
        with translated_errors():
            rows = self.session.execute(f"SELECT DISTINCT day, kafka_partition FROM {_TABLE}")
            return sorted((row.day.date(), row.kafka_partition) for row in rows)


def _letters(rows: Any) -> Iterator[Letter]:
    """Yields the letters of the rows. Skips a removed row of which single cells are left."""
    for row in rows:
        if row.appended_at is None or not row.rejections:
            continue
        yield Letter(
            address=Address(row.day.date(), Position(row.kafka_partition, row.kafka_offset)),
            appended_at=row.appended_at,
            key=row.key,
            value=getattr(row, "value", None),
            key_bytes=row.key_bytes,
            value_bytes=row.value_bytes,
            rejections={Position.parse(at): _REJECTION.decode(said) for at, said in row.rejections.items()},
            replays={Position.parse(at): appended_at for at, appended_at in (row.replays or {}).items()},
            discarded=_DISCARDED.decode(row.discarded) if row.discarded else None,
        )


def _key(address: Address) -> tuple[date, int, int]:
    """Returns the primary key of the letter's row."""
    return address.day, *address.position


@contextmanager
def translated_errors() -> Iterator[None]:
    """Translates errors of Cassandra: to StoreUnavailable, and to StackError for a keyspace of an older release."""
    try:
        yield
    except UNAVAILABLE as error:
        raise StoreUnavailable(f"Cassandra did not answer: {error}") from error
    except InvalidRequest as error:
        text = (
            f"the keyspace has no dead letters of this release: {error}. `lambda360 schema apply` makes what is missing"
        )
        raise StackError(text) from error
