"""Waiting until the speed layer has applied the log's end, and the table of where it is."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from cassandra.cluster import Session

from common.errors import NotApplied
from common.settings import Settings
from common.tables import Tables

POLL_SECONDS: Final = 0.2
SILENT_SECONDS: Final = 10.0
"""A worker whose heartbeat is older does not run, or cannot reach Cassandra."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one partition is: applied below `next_offset`, last beat at `beat_at` (microseconds; None or 0: never)."""

    from_offset: int
    next_offset: int
    end_offset: int
    beat_at: int | None
    caught_up_at: int | None = None
    """Every record appended before it is applied, in microseconds (None: unknown)."""

    def behind_seconds(self, now: int) -> float | None:
        """Seconds since everything appended was applied: 0 where nothing is left."""
        if self.next_offset >= self.end_offset:
            return 0.0
        return max(now - self.caught_up_at, 0) / 1e6 if self.caught_up_at else None


def places(session: Session, settings: Settings, ends: Mapping[int, int]) -> dict[int, Place]:
    """Every partition's place against the given ends; without any, against those of the last heartbeats."""
    rows = session.execute(
        "SELECT kafka_partition, from_offset, next_offset, end_offset, beat_at, caught_up_at "
        f"FROM {Tables.progress} WHERE generation = %s",
        (settings.speed.generation,),
    )
    found = {
        row.kafka_partition: Place(row.from_offset, row.next_offset, row.end_offset, row.beat_at, row.caught_up_at)
        for row in rows
    }
    if not ends:
        return dict(sorted(found.items()))
    return {
        partition: replace(found.get(partition, Place(0, 0, 0, None)), end_offset=end)
        for partition, end in sorted(ends.items())
    }


def wait(
    session: Session,
    settings: Settings,
    ends: Mapping[int, int],
    timeout: float,
    clock: Callable[[], int],
    say: Callable[[int, int], None],
) -> None:
    """Return once every partition is applied below `ends`. Raises NotApplied, which names what is missing.

    `say` is told the records still missing and their number at the start, at each look.
    """
    deadline, at_first = time.monotonic() + timeout, None
    while True:
        found = places(session, settings, ends)
        behind = {p: place for p, place in found.items() if place.next_offset < place.end_offset}
        missing = sum(place.end_offset - place.next_offset for place in behind.values())
        at_first = missing if at_first is None else at_first
        say(missing, at_first)
        if not behind:
            return
        if time.monotonic() > deadline:
            raise NotApplied(_explain(behind, timeout, clock()))
        time.sleep(POLL_SECONDS)


def _explain(behind: Mapping[int, Place], timeout: float, now: int) -> str:
    parts = ", ".join(f"partition {p} at {place.next_offset} of {place.end_offset}" for p, place in behind.items())
    silent = [p for p, place in behind.items() if silent_seconds(place, now) > SILENT_SECONDS]
    hint = "; no worker is running there: start one with `lambda360 speed run`" if silent else ""
    return f"not applied within {timeout:g} s: {parts}{hint}"


def silent_seconds(place: Place, now: int) -> float:
    """Seconds since the last heartbeat, which may be younger than `now`; infinite if there was none."""
    return float("inf") if not place.beat_at else max(now - place.beat_at, 0) / 1e6
