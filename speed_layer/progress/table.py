"""The worker's side of `speed_progress`: reading and writing its rows, and where a worker resumes (R12)."""

from typing import Final

from common import runbook
from common.algebra.dates import MICROS_PER_DAY
from common.algebra.losses import Range
from common.errors import LogError
from common.progress import Progress, cells_of, insert_progress, select_progress
from common.servers.cassandra import AsyncSession

HORIZON_MARGIN_MICROS: Final = 3_600_000_000
"""Deltas count as expired an hour early: what is known of them is up to TRUSTED_MICROS old, whoever reads a row takes a
heartbeat of up to half an hour ago for alive, and clocks differ."""
TRUSTED_MICROS: Final = 120_000_000
"""For so long after a worker has asked which deltas have expired, its rows may claim that the others are alive."""


class ProgressTable:
    """The rows of one generation; nothing in a row ever goes back: a worker that is behind loses to one ahead."""

    def __init__(self, session: AsyncSession, generation: int) -> None:
        self._session, self._generation = session, generation
        self._read = session.driver.prepare(select_progress())
        self._write = session.driver.prepare(insert_progress())

    async def read(self) -> dict[int, Progress]:
        """The rows by partition. Raises StoreUnavailable."""
        rows = await self._session.execute(self._read.bind((self._generation,)))
        return {row.kafka_partition: Progress.of_row(row) for row in rows}

    async def write(self, row: Progress) -> None:
        """Write the row. Raises StoreUnavailable."""
        await self._session.execute(self._write.bind(cells_of(self._generation, row)))


def start_of(partition: int, row: Progress | None, first: int, end: int) -> int:
    """Returns the offset at which a worker resumes: our own progress, or zero if there is none yet.

    `first` and `end` are the log's own. Raises LogError where the log does not hold that offset: a worker never jumps.
    """
    # Not even over what was accepted as lost (R15): a request that pinned the pointer before would know of no loss, and
    # find deltas of behind the gap. A rebuild passes the gap, and its tables are read by its own pointer only.
    start = 0 if row is None else row.next_offset
    if start < first:
        text = (
            f"partition {partition} is applied below offset {start}, and the log's first offset is {first}: records "
            f"({Range(partition, start, first)}) were deleted before they were applied, so nothing was read. "
            "`lambda360 speed rebuild` takes what the master holds of them, and says so where it holds none; see "
            f"{runbook.LOSS}"
        )
        raise LogError(text)
    if start > end:
        text = (
            f"partition {partition} is applied below offset {start}, and the log ends at {end}: the log lost records, "
            f"so nothing was read. Offsets would be used twice; see {runbook.RESTORE}"
        )
        raise LogError(text)
    return start


def horizon(now: int, ttl_days: int) -> int:
    """Returns the append time, in microseconds, from which on every delta is still alive."""
    return now - ttl_days * MICROS_PER_DAY + HORIZON_MARGIN_MICROS
