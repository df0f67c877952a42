"""How far the speed layer is: one type for a row of `speed_progress`, one select, one lag (R12).

The worker writes the rows; serving, the status command and those who wait for a cut read them. Knows no session.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from common.tables import Tables

SILENT_SECONDS: Final = 10.0
"""A worker whose heartbeat is older does not run, or cannot reach Cassandra."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A partition's row: each record in [from_offset, next_offset) is applied and acknowledged, and its delta is alive.

    `from_offset` may be above `next_offset`: then no delta is known to be alive. A worker that was killed may have left
    deltas between the two, some of which have expired.

    Times are in microseconds (UTC), and 0 where unknown. `beat_at` is the worker's last heartbeat. Every record that
    was appended before `caught_up_at` is applied.
    """

    partition: int
    from_offset: int
    next_offset: int
    end_offset: int
    """The log's end, as the worker last saw it."""
    validation_version: str
    """Every validation version that decided a record that is applied, and perhaps one that has decided none yet."""
    beat_at: int
    caught_up_at: int

    @classmethod
    def of_row(cls, row: Sequence[Any]) -> Self:
        """Returns the progress in a row of `select_progress`; a null in it counts as 0 or as an empty text."""
        partition, from_offset, next_offset, end_offset, version, beat_at, caught_up_at = row
        return cls(
            partition=partition,
            from_offset=from_offset or 0,
            next_offset=next_offset or 0,
            end_offset=end_offset or 0,
            validation_version=version or "",
            beat_at=beat_at or 0,
            caught_up_at=caught_up_at or 0,
        )

    @classmethod
    def nothing(cls, partition: int) -> Self:
        """Returns the progress of a partition where no worker ever ran."""
        return cls(
            partition, from_offset=0, next_offset=0, end_offset=0, validation_version="", beat_at=0, caught_up_at=0
        )

    @property
    def behind_records(self) -> int:
        """The offsets from `next_offset` to `end_offset`: at least as many as there are records to apply."""
        return max(self.end_offset - self.next_offset, 0)

    def behind_seconds(self, now: int, *, end_is_known: bool = False) -> float | None:
        """Returns the seconds since everything that had been appended was applied; None if that is unknown.

        With `end_is_known`, `end_offset` is the log's end at `now`, and the lag is 0 where nothing is left to apply. It
        is never negative, although the clocks of two machines differ.
        """
        if end_is_known and not self.behind_records:
            return 0.0
        return _seconds(self.caught_up_at, now)

    def silent_seconds(self, now: int) -> float | None:
        """Returns the seconds since the last heartbeat; None if there was none."""
        return _seconds(self.beat_at, now)


def select_progress(mark: str = "?", *, keyspace: str = "") -> str:
    """Returns the statement that reads the rows of one generation; `mark` is the driver's placeholder for it."""
    table = f"{keyspace}.{Tables.progress}" if keyspace else Tables.progress
    return (
        "SELECT kafka_partition, from_offset, next_offset, end_offset, validation_version, beat_at, caught_up_at "
        f"FROM {table} WHERE generation = {mark}"
    )


def insert_progress(mark: str = "?") -> str:
    """Returns the statement that writes a row; see `cells_of` for its values.

    The row's timestamp is its `next_offset`, so that no row ever goes back. Of two rows with the same timestamp each
    cell takes the greater value.
    """
    return (
        f"INSERT INTO {Tables.progress} (generation, kafka_partition, from_offset, next_offset, end_offset, "
        f"validation_version, beat_at, caught_up_at) VALUES ({', '.join([mark] * 8)}) USING TIMESTAMP {mark}"
    )


def cells_of(generation: int, row: Progress) -> tuple[object, ...]:
    """Returns the values of `insert_progress`, in their order."""
    return (
        generation,
        row.partition,
        row.from_offset,
        row.next_offset,
        row.end_offset,
        row.validation_version,
        row.beat_at,
        row.caught_up_at,
        row.next_offset,
    )


def _seconds(then: int, now: int) -> float | None:
    return round(max(now - then, 0) / 1e6, 3) if then else None
