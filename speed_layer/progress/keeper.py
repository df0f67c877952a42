"""Where lanes start, the heartbeat that writes the progress rows, the log's identity, and the watchdog (R1, R12)."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import structlog

from common.algebra.versions import with_version
from common.errors import CircuitOpen, LogUnavailable, Unavailable
from common.progress import Progress
from common.servers.retry import Retry
from common.settings import SpeedSettings
from speed_layer.apply.lanes import Lane, Lanes, Start
from speed_layer.progress.log_watch import Watch
from speed_layer.progress.table import TRUSTED_MICROS, ProgressTable, horizon, start_of
from speed_layer.progress.watchdog import Watchdog

log = structlog.get_logger(__name__)
IDENTITY_SECONDS: Final = 2.0
EXPIRY_SECONDS: Final = 60.0


@dataclass(slots=True)
class Kept:
    """The parts of a lane's row that only grow."""

    lane: Lane
    from_offset: int
    caught_up_at: int


@dataclass(slots=True)
class Keeper:
    """Writes one worker's rows. `clock` gives microseconds (UTC), `monotonic` seconds that never go back."""

    settings: SpeedSettings
    table: ProgressTable
    watch: Watch
    lanes: Lanes
    store_retry: Retry
    kafka_retry: Retry
    validation_version: str
    clock: Callable[[], int]
    monotonic: Callable[[], float] = time.monotonic
    written_since: int = 0
    """Every delta of the generation was written at this moment or later, in microseconds; 0 where unknown."""
    latest: Mapping[int, Progress] = field(default_factory=dict)
    """The rows of the last heartbeat, written or not."""
    beat_at: int = 0
    """When the last heartbeat was written, in microseconds."""
    _watchdog: Watchdog = field(init=False)
    _kept: dict[int, Kept] = field(default_factory=dict)
    ends: Mapping[int, int] = field(default_factory=dict)
    """The last stable offsets at the last heartbeat: no worker reads beyond an open transaction."""
    _lasts: Mapping[int, int] = field(default_factory=dict)
    _expired_below: Mapping[int, int] = field(default_factory=dict)
    _expired_at: float = 0.0
    """When the offsets below which deltas may have expired were last read, in seconds of `monotonic`."""
    _trusted_until: int = 0
    """The last moment, in microseconds, for which those offsets tell what is alive."""

    def __post_init__(self) -> None:
        self._watchdog = Watchdog(self.settings.watchdog_seconds, self.monotonic)

    async def starts(self, partitions: Iterable[int]) -> dict[int, Start]:
        """Returns where each partition resumes, however long Cassandra and Kafka take to answer. Raises LogError.

        At the return the rows name this release's validation version: nothing is applied under it before (R12).
        """
        firsts = await self.kafka_retry.until_done(self.watch.firsts)
        self._expired_below = await self.kafka_retry.until_done(self._ask_for_expired)
        found = await self.store_retry.until_done(self.table.read)
        self.ends = await self.kafka_retry.until_done(self.watch.ends)
        await self.kafka_retry.until_done(self.watch.confirm)  # last: a topic that is gone never comes back as itself
        rows = {p: found.get(p) for p in partitions}
        offsets = {
            partition: start_of(partition, row, firsts[partition], self.ends[partition])
            for partition, row in rows.items()
        }
        named = {p: self._with_version(p, row) for p, row in rows.items()}
        news = [row for p, row in named.items() if row != rows[p]]
        await asyncio.gather(*(self.store_retry.until_done(partial(self.table.write, row)) for row in news))
        return {
            p: Start(offsets[p], row.from_offset, row.validation_version, row.caught_up_at) for p, row in named.items()
        }

    def _with_version(self, partition: int, row: Progress | None) -> Progress:
        """Returns the row with this release's validation version among its names, and nothing else changed."""
        if row is None:
            row = Progress.nothing(partition)
            return replace(row, end_offset=self.ends[partition], validation_version=self.validation_version)
        return replace(row, validation_version=with_version(row.validation_version, self.validation_version))

    async def _ask_for_expired(self) -> Mapping[int, int]:
        """Read the offsets below which deltas may have expired, and until when rows may rely on them."""
        asked_at = self.monotonic()
        now = self.clock()
        # A rebuild writes the deltas of old records anew, so their age says nothing until its own deltas expire (R13).
        are_alive = horizon(now, self.settings.delta_ttl_days) < self.written_since
        found = {} if are_alive else await self.watch.expired_below(now)
        self._expired_at, self._trusted_until = asked_at, now + TRUSTED_MICROS
        return found

    async def beat(self) -> None:
        """Write the row of every open lane. Raises Unavailable, or Stuck if a lane makes no progress."""
        now = self.clock()
        try:
            if self.monotonic() - self._expired_at >= EXPIRY_SECONDS:
                self._expired_below = await self._ask_for_expired()
            self.ends, self._lasts = await asyncio.gather(self.watch.ends(), self.watch.lasts())
        except LogUnavailable as error:
            log.warning("unavailable", server=error.server, action="go_on", error=error)
            now = 0  # whether a lane has caught up is unknown
        await self.write(now)
        for lane in self.lanes.all():
            self._watchdog.look(lane, end=self.ends.get(lane.partition, 0), is_waiting=self.is_waiting)

    async def write(self, seen_at: int = 0) -> None:
        """Write the open lanes' rows. `seen_at` is when the log's end was read for them; 0 if it was not.

        A heartbeat claims that the deltas from `from_offset` on are alive at that moment. So it is never later than
        what the worker knows of expiry, however long it was stopped since it asked, and however long Kafka is away.
        """
        beat_at = min(self.clock(), self._trusted_until)
        rows = [self._row(lane, seen_at, beat_at) for lane in self.lanes.all()]
        self.latest = {row.partition: row for row in rows}
        await asyncio.gather(*(self.store_retry.once(partial(self.table.write, row)) for row in rows))
        self.beat_at = self.clock()

    def _row(self, lane: Lane, seen_at: int, beat_at: int) -> Progress:
        kept, next_offset = self._of(lane), lane.next_offset
        end = max(self.ends.get(lane.partition, 0), self._lasts.get(lane.partition, 0), next_offset)
        reached = seen_at if next_offset >= end else 0
        kept.caught_up_at = max(kept.caught_up_at, lane.applied_at, reached)
        kept.from_offset = max(kept.from_offset, self._expired_below.get(lane.partition, 0))
        return Progress(
            partition=lane.partition,
            from_offset=kept.from_offset,
            next_offset=next_offset,
            end_offset=end,
            validation_version=lane.origin.validation_versions,
            beat_at=beat_at,
            caught_up_at=kept.caught_up_at,
        )

    def _of(self, lane: Lane) -> Kept:
        kept = self._kept.get(lane.partition)
        if kept is None or kept.lane is not lane:
            kept = self._kept[lane.partition] = self._begin(lane)
        return kept

    def _begin(self, lane: Lane) -> Kept:
        return Kept(lane, lane.origin.from_offset, lane.origin.caught_up_at)

    @property
    def is_waiting(self) -> bool:
        """Whether an operation waits for Cassandra or Kafka to answer again."""
        return bool(self.store_retry.waiting or self.kafka_retry.waiting)

    async def keep_beating(self) -> None:
        """Write heartbeats for ever. Raises Stuck."""
        while True:
            try:
                await self.beat()
            except CircuitOpen as error:
                log.debug("progress_unwritten", error=error)
            except Unavailable as error:
                log.warning("progress_unwritten", server=error.server, error=error)
            await asyncio.sleep(self.settings.progress_interval_seconds)

    async def keep_checking(self) -> None:
        """Compare the log's identity for ever. Raises LogError once it differs."""
        while True:
            await asyncio.sleep(IDENTITY_SECONDS)
            await self.watch.check()
