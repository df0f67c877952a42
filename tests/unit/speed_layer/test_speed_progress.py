"""R12: where a worker starts, what its rows say, and when it gives up."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from common.algebra.dates import MICROS_PER_DAY
from common.algebra.versions import with_version
from common.errors import LogError, LogUnavailable
from common.progress import Progress
from common.servers.log_identity import LogIdentity, compare
from common.settings import Settings, SpeedSettings
from speed_layer.apply.lanes import Lanes
from speed_layer.progress.keeper import Keeper
from speed_layer.progress.log_watch import LogWatch
from speed_layer.progress.table import TRUSTED_MICROS, ProgressTable, horizon, start_of
from speed_layer.progress.watchdog import Stuck
from tests.support.speed_fakes import retry

NOW = 1_800_000_000_000_000
HOUR = 3_600_000_000


def row(next_offset: int, from_offset: int = 0, version: str = "v1", caught_up_at: int = 0) -> Progress:
    return Progress(0, from_offset, next_offset, next_offset, version, 0, caught_up_at)


def test_a_worker_resumes_at_its_progress_and_else_at_zero() -> None:
    assert start_of(0, row(7), first=3, end=9) == 7
    assert start_of(0, None, first=0, end=9) == 0


def test_a_start_below_the_logs_first_offset_is_refused() -> None:
    """It never jumps."""
    with pytest.raises(LogError, match="first offset is 3"):
        start_of(0, None, first=3, end=9)
    with pytest.raises(LogError, match="first offset is 8"):
        start_of(0, row(7), first=8, end=9)


def test_a_start_beyond_the_logs_end_is_refused() -> None:
    with pytest.raises(LogError, match="ends at 6"):
        start_of(0, row(7), first=0, end=6)


def test_deltas_count_as_expired_before_cassandra_forgets_them() -> None:
    assert NOW - 30 * MICROS_PER_DAY < horizon(NOW, ttl_days=30) < NOW - 29 * MICROS_PER_DAY


@dataclass
class Table:
    """Rows in memory."""

    rows: dict[int, Progress] = field(default_factory=dict)

    async def read(self) -> dict[int, Progress]:
        return dict(self.rows)

    async def write(self, row: Progress) -> None:
        self.rows[row.partition] = row


class Watch(LogWatch):
    """A log in memory with one partition."""

    def __init__(self, end: int = 10, expired: int = 0) -> None:
        self.recorded = LogIdentity("log", "id", 1)
        self.end, self.expired, self.away = end, expired, False
        self.held_back = 0

    async def check(self) -> None: ...

    async def confirm(self) -> None:
        compare(LogIdentity("log", "id", 1), self.recorded)

    async def ends(self) -> Mapping[int, int]:
        if self.away:
            raise LogUnavailable("away")
        return {0: self.end}

    async def lasts(self) -> Mapping[int, int]:
        return {0: self.end + self.held_back}

    async def firsts(self) -> Mapping[int, int]:
        return {0: 0}

    async def expired_below(self, now: int) -> Mapping[int, int]:
        if self.away:
            raise LogUnavailable("away")
        return {0: self.expired}


class Scene:
    """A keeper with a clock that the test moves."""

    def __init__(self, table: Table | None = None, watch: Watch | None = None) -> None:
        self.table, self.watch, self.lanes = table or Table(), watch or Watch(), Lanes()
        self.now, self.seconds = NOW, 0.0
        stands_in: ProgressTable = self.table  # type: ignore[assignment] # the same two calls
        self.retry, speed = retry(), SpeedSettings(watchdog_seconds=60)
        clocks = (lambda: self.now, lambda: self.seconds)
        self.keeper = Keeper(speed, stands_in, self.watch, self.lanes, self.retry, retry(), "v1", *clocks)

    def start(self) -> None:
        starts = asyncio.run(self.keeper.starts([0]))
        self.lanes.open(0, starts[0])

    def advance_to(self, next_offset: int, appended_at: int = 0) -> None:
        (lane,) = self.lanes.all()
        for offset in range(lane.taken, next_offset):
            (link,) = lane.send([(offset, 1)])
            lane.take(link, offset)
        lane.advance(next_offset, appended_at)

    def beat(self) -> Progress:
        asyncio.run(self.keeper.beat())
        return self.table.rows[0]


def test_a_row_says_what_is_applied_and_when_the_lane_had_caught_up() -> None:
    scene = Scene()
    scene.start()
    assert scene.beat() == Progress(0, 0, 0, 10, "v1", NOW, 0)
    scene.advance_to(6, appended_at=NOW - 5)
    assert scene.beat() == Progress(0, 0, 6, 10, "v1", NOW, NOW - 5)
    scene.advance_to(10)
    scene.now += 1
    assert scene.beat() == Progress(0, 0, 10, 10, "v1", NOW + 1, NOW + 1)


def test_behind_an_open_transaction_no_lane_counts_as_caught_up_or_as_stuck() -> None:
    """What is held back is lag, although nobody can read it yet."""
    scene = Scene(watch=Watch(end=6))
    scene.start()
    scene.advance_to(6)
    assert scene.beat().caught_up_at == NOW
    scene.watch.held_back, scene.now, scene.seconds = 4, NOW + 99, 1000.0
    assert scene.beat() == Progress(0, 0, 6, 10, "v1", NOW + 99, NOW)
    scene.seconds += 1000.0
    scene.beat()


def test_while_kafka_is_away_no_lane_counts_as_caught_up() -> None:
    scene = Scene(watch=Watch(end=0))
    scene.start()
    assert scene.beat().caught_up_at == NOW
    scene.watch.away, scene.now = True, NOW + 99
    found = scene.beat()
    assert (found.beat_at, found.caught_up_at) == (NOW + 99, NOW)


def test_a_start_waits_for_kafka_and_reports_kafka(caplog: pytest.LogCaptureFixture) -> None:
    """R12, R14."""
    scene = Scene()
    ends = scene.watch.ends
    failures = iter([LogUnavailable("no broker"), LogUnavailable("no broker")])

    async def ends_later() -> Mapping[int, int]:
        for failure in failures:
            raise failure
        return await ends()

    scene.watch.ends = ends_later  # type: ignore[method-assign] # Kafka comes back at the third question

    scene.start()

    assert [lane.start for lane in scene.lanes.all()] == [0]
    assert "event=unavailable server=kafka action=retry" in caplog.text
    assert "cassandra" not in caplog.text


def test_a_log_that_is_recreated_while_a_start_asks_for_its_offsets_is_refused() -> None:
    """R1: those offsets are of another log, and nothing else tells."""
    scene = Scene(Table({0: row(7)}))
    ends = scene.watch.ends

    async def ends_of_another_log() -> Mapping[int, int]:
        scene.watch.recorded = LogIdentity("log", "another id", 1)
        return await ends()

    scene.watch.ends = ends_of_another_log  # type: ignore[method-assign] # the topic is recreated meanwhile

    with pytest.raises(LogError, match="not the log this system was built on"):
        scene.start()


def test_r12_a_worker_of_another_version_adds_its_own_to_those_that_decided_what_is_stored() -> None:
    scene = Scene(Table({0: row(4, 2, "v0", 77)}))
    scene.start()
    found = scene.beat()
    assert (found.from_offset, found.next_offset, found.validation_version, found.caught_up_at) == (2, 4, "v0,v1", 77)


def test_r12_the_row_names_a_workers_version_before_the_worker_applies_anything_and_says_nothing_else_anew() -> None:
    for before, after in (
        (row(4, 2, "v0", 77), row(4, 2, "v0,v1", 77)),
        (row(4, 2, "v1,v0", 77), row(4, 2, "v1,v0", 77)),
        (None, Progress(0, 0, 0, 10, "v1", 0, 0)),
    ):
        scene = Scene(Table({0: before} if before else {}))

        asyncio.run(scene.keeper.starts([0]))

        assert scene.table.rows == {0: after}


def test_r12_of_two_rows_at_one_offset_the_one_that_names_more_versions_wins() -> None:
    """Cassandra decides between cells of one timestamp for the greater text."""
    assert max("2", with_version("2", "1")) == "2,1"
    assert max("1,2", with_version("1,2", "10")) == "1,2,10"
    assert with_version("1,2", "1") == "1,2"


def test_expired_deltas_raise_from_offset_before_the_first_row_is_written() -> None:
    scene = Scene(Table({0: row(8)}), Watch(expired=5))
    scene.start()
    assert scene.beat().from_offset == 5


def test_from_offset_rises_as_deltas_expire_and_never_falls() -> None:
    scene = Scene(Table({0: row(8)}), Watch(end=8, expired=5))
    scene.start()
    for expired, seconds, found in ((7, 59, 5), (7, 60, 7), (3, 200, 7)):
        scene.watch.expired, scene.seconds = expired, seconds
        assert scene.beat().from_offset == found


def test_from_offset_passes_next_offset_where_deltas_of_a_killed_worker_may_have_expired() -> None:
    """R12, R22: it applied records beyond its progress; the next one skips them, and some of their deltas are gone."""
    scene = Scene(Table({0: row(4)}), Watch(expired=9))
    scene.start()
    found = scene.beat()
    assert (found.from_offset, found.next_offset) == (9, 4)


def test_a_worker_that_slept_asks_what_expired_before_it_says_that_deltas_are_alive() -> None:
    scene = Scene(watch=Watch(end=0))
    scene.start()
    assert scene.beat().from_offset == 0
    scene.watch.expired, scene.seconds, scene.now = 6, 7200, NOW + 7_200_000_000
    assert scene.beat().from_offset == 6


def test_the_watchdog_ends_a_worker_that_stands_still_behind_the_log() -> None:
    scene = Scene()
    scene.start()
    scene.beat()
    scene.seconds = 59
    scene.advance_to(3)
    scene.beat()
    scene.seconds = 118
    scene.beat()
    scene.seconds = 120
    with pytest.raises(Stuck, match="partition 0 has stood at offset 3"):
        scene.beat()


def test_the_watchdog_bears_with_a_store_that_is_away_and_with_an_idle_log() -> None:
    idle, waiting = Scene(watch=Watch(end=0)), Scene()
    waiting.retry.waiting = 1
    for scene in (idle, waiting):
        scene.start()
        scene.beat()
        scene.seconds = 1000
        scene.beat()


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (LogUnavailable("no broker"), 'event=unavailable server=kafka action=go_on error="no broker"'),
        (LogError("no such topic"), 'event=unavailable server=kafka action=go_on error="no such topic"'),
    ],
)
def test_a_log_that_cannot_be_looked_at_is_not_another_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, answer: Exception, line: str
) -> None:
    """R1."""

    def fail(*_: object) -> LogIdentity:
        raise answer

    monkeypatch.setattr("common.servers.kafka.topic_identity", fail)

    asyncio.run(LogWatch(Settings(), LogIdentity("log", "id", 1)).check())

    assert [record.getMessage() for record in caplog.records] == [line]


@pytest.mark.parametrize("answer", [LogUnavailable("no broker"), LogError("no such topic")])
def test_a_start_waits_for_the_log_to_be_seen(monkeypatch: pytest.MonkeyPatch, answer: Exception) -> None:
    """R1, R12: a topic that is away may be recreated by the time its offsets are asked for."""
    answers: list[LogIdentity | Exception] = [answer, LogIdentity("log", "id", 1)]

    def identity(*_: object) -> LogIdentity:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr("common.servers.kafka.topic_identity", identity)

    asyncio.run(retry().until_done(LogWatch(Settings(), LogIdentity("log", "id", 1)).confirm))

    assert answers == []


def test_another_log_stops_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """R1."""
    monkeypatch.setattr("common.servers.kafka.topic_identity", lambda *_: LogIdentity("log", "another id", 1))
    watch = LogWatch(Settings(), LogIdentity("log", "id", 1))

    for look in (watch.check, watch.confirm):
        with pytest.raises(LogError, match="not the log this system was built on"):
            asyncio.run(look())


@pytest.mark.parametrize(("age_days", "from_offset"), [(29, 0), (30, 5)])
def test_r13_the_age_of_a_record_says_nothing_of_its_delta_until_the_rebuilds_own_deltas_expire(
    age_days: int, from_offset: int
) -> None:
    """The rebuild wrote the deltas of old records anew, with a whole life before them."""
    scene = Scene(Table({0: row(8)}), Watch(expired=5))
    scene.keeper.written_since = NOW - age_days * MICROS_PER_DAY

    scene.start()

    assert scene.beat().from_offset == from_offset


def test_r12_a_worker_that_was_stopped_before_it_writes_claims_no_heartbeat_for_the_time_of_the_stop() -> None:
    """Its row says from which offset on deltas were alive before the stop; so many of them have expired since."""
    scene = Scene()
    scene.start()
    scene.now += HOUR
    asyncio.run(scene.keeper.write())
    assert scene.table.rows[0].beat_at == NOW + TRUSTED_MICROS
    scene.seconds += 3600.0
    scene.watch.expired = 4
    found = scene.beat()
    assert (found.beat_at, found.from_offset) == (NOW + HOUR, 4)


def test_r12_while_kafka_is_away_for_long_a_heartbeat_claims_no_more_than_is_known_of_expiry() -> None:
    scene = Scene()
    scene.start()
    scene.watch.away, scene.now, scene.seconds = True, NOW + HOUR, 3600.0
    assert scene.beat().beat_at == NOW + TRUSTED_MICROS
