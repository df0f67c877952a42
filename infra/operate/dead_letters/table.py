"""Dead letters as an operator reads and marks them in Cassandra; the worker's columns are not written here."""

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
"""Rows in one page: with its bytes, one may take a mebibyte."""
LINES_AT_ONCE: Final = 500
"""Rows in one page of those read without their values."""
WRITES_AT_ONCE: Final = 16

_TABLE: Final = Tables.dead_letters
_COLUMNS: Final = (
    "day, kafka_partition, kafka_offset, appended_at, key, key_bytes, value_bytes, rejections, replays, discarded"
)
_DISCARDED: Final = msgspec.json.Decoder(Discarded)
_REJECTION: Final = msgspec.json.Decoder(Rejection)


class OperatorTable:
    """Reads rows page by page, in the order of day, partition and offset. Raises StoreUnavailable when it must wait."""

    def __init__(self, session: Session) -> None:
        self.session, prepare = session, session.prepare
        with errors_told():
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
        self._lines.fetch_size, self._rows.fetch_size = LINES_AT_ONCE, ROWS_AT_ONCE

    def letters(self, wanted: Filter, *, with_values: bool) -> Iterator[Letter]:
        """The letters that are wanted, in order; without values, `value` is None."""
        with errors_told():
            for key in self._keys:
                if wanted.admits_key(*key):
                    rows = self.session.execute(self._rows if with_values else self._lines, key)
                    yield from filter(wanted.admits, _letters(rows))

    def addresses(self, ids: Sequence[Position]) -> list[Address]:
        """Where those letters are. Raises UsageError, which names the first that is not there."""
        return [self._find(wanted).address for wanted in ids]

    def letter(self, address: Address) -> Letter | None:
        """The letter with its value; none if it was removed."""
        with errors_told():
            rows = self.session.execute(self._row, _key(address))
            return next(_letters(rows), None)

    def find(self, wanted: Position) -> Letter:
        """The letter with its value. Raises UsageError if there is none."""
        return self._find(wanted)

    def mark_replayed(self, appended: Sequence[Appended]) -> None:
        """Each record's new position stands in its letter, at the new offset's timestamp: again, it changes nothing.

        All are tried before the first error is raised: a letter that is not marked may be appended twice.
        """
        arguments = [
            (each.position.offset, str(each.position), each.appended_at, *_key(each.letter)) for each in appended
        ]
        with errors_told():
            results = execute_concurrent_with_args(
                self.session, self._replayed, arguments, concurrency=WRITES_AT_ONCE, raise_on_first_error=False
            )
            for written, error in results:
                if not written:
                    raise error

    def discard(self, address: Address, word: Discarded) -> None:
        """The operator's word stands in the letter, at the operator's clock."""
        with errors_told():
            self.session.execute(self._discarded, (word.at, msgspec.json.encode(word).decode(), *_key(address)))

    def _find(self, wanted: Position) -> Letter:
        for day, partition in self._keys:
            if partition == wanted.partition:
                found = self.letter(Address(day, wanted))
                if found is not None:
                    return found
        raise UsageError(
            "--id", str(wanted), "no such dead letter; `lambda360 dead-letters list --state all` shows them"
        )

    @cached_property
    def _keys(self) -> list[tuple[date, int]]:
        """The table's partitions, in order: a day and a partition of the log each."""
        rows = self.session.execute(f"SELECT DISTINCT day, kafka_partition FROM {_TABLE}")
        return sorted((row.day.date(), row.kafka_partition) for row in rows)


def _letters(rows: Any) -> Iterator[Letter]:
    """The rows' letters; what is left of a row that was removed is passed over."""
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
    """The row's primary key."""
    return address.day, *address.position


@contextmanager
def errors_told() -> Iterator[None]:
    """Cassandra's errors in our words: StoreUnavailable, and StackError for a keyspace of an older release."""
    try:
        yield
    except UNAVAILABLE as error:
        raise StoreUnavailable(f"Cassandra did not answer: {error}") from error
    except InvalidRequest as error:
        text = (
            f"the keyspace has no dead letters of this release: {error}. `lambda360 schema apply` makes what is missing"
        )
        raise StackError(text) from error
