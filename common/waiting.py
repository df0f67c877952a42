"""Waiting until the speed layer has applied the log below given offsets: its end, or a cut. Knows no Kafka."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from cassandra.cluster import Session

from common.errors import NotApplied
from common.progress import SILENT_SECONDS, Progress, select_progress
from common.servers import pointer_row

POLL_SECONDS: Final = 0.2


def read_progress(session: Session, ends: Mapping[int, int] | None = None) -> dict[int, Progress]:
    """Returns every partition's progress with the given `ends` or, if there are none, with its own last known end.

    The rows are those of the generation that the pointer names (R13).
    """
    rows = session.execute(select_progress("%s"), (pointer_row.read(session).generation,))
    found = {row.partition: row for row in map(Progress.of_row, rows)}
    if not ends:
        return dict(sorted(found.items()))
    return {
        partition: replace(found.get(partition) or Progress.nothing(partition), end_offset=end)
        for partition, end in sorted(ends.items())
    }


def wait(
    session: Session,
    ends: Mapping[int, int],
    *,
    timeout: float,
    clock: Callable[[], int],
    report: Callable[[int, int], None],
) -> None:
    """Returns once every partition is applied below `ends`.

    Raises NotApplied, which names the partitions that are behind, after `timeout` seconds. After each read, `report`
    gets the number of records that are missing, and the number that were missing at first.
    """
    deadline = time.monotonic() + timeout
    at_first = None
    while True:
        behind = [each for each in read_progress(session, ends).values() if each.behind_records]
        missing = sum(each.behind_records for each in behind)
        at_first = missing if at_first is None else at_first
        report(missing, at_first)
        if not behind:
            return
        if time.monotonic() > deadline:
            raise NotApplied(_explain(behind, timeout, clock()))
        time.sleep(POLL_SECONDS)


def _explain(behind: list[Progress], timeout: float, now: int) -> str:
    parts = ", ".join(f"partition {each.partition} at {each.next_offset} of {each.end_offset}" for each in behind)
    is_silent = any(_is_silent(each, now) for each in behind)
    hint = "; no worker is running there: start one with `lambda360 speed run`" if is_silent else ""
    return f"not applied within {timeout:g} s: {parts}{hint}"


def _is_silent(progress: Progress, now: int) -> bool:
    silent = progress.silent_seconds(now)
    return silent is None or silent > SILENT_SECONDS
