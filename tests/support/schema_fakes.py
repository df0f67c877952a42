"""A ledger in memory, whose clock moves only when somebody sleeps or a statement takes its time."""

from datetime import UTC, datetime

from infra.schema.changes import Change, Recorded
from infra.schema.lock import Terms

APPLIED_AT = datetime(2026, 11, 25, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Killed(BaseException):
    """The process is gone: nothing that follows is run."""


class MemoryLedger:
    """See `infra.schema.ledger.Ledger`; `statement_seconds` pass at each statement, `kill_at` counts statements."""

    def __init__(self, clock: Clock, *, statement_seconds: float = 0.0) -> None:
        self.clock, self.statement_seconds = clock, statement_seconds
        self.kill_at: int | None = None
        self.executed: list[str] = []
        self.records: list[Recorded] = []
        self.holder: str | None = None
        self.expires_at = 0.0
        self.made = 0

    def make(self) -> None:
        self.made += 1

    def recorded(self) -> list[Recorded]:
        return sorted(self.records, key=lambda each: each.number)

    def execute(self, statement: str) -> None:
        if self.kill_at is not None and len(self.executed) == self.kill_at:
            raise Killed
        self.clock.sleep(self.statement_seconds)
        self.executed.append(statement)

    def record(self, change: Change, owner: str, applied_by: str) -> bool:
        if self.held_by() != owner:
            return False
        self.records.append(Recorded(change.number, change.name, change.checksum, APPLIED_AT, applied_by))
        return True

    def take_lock(self, owner: str, seconds: int) -> str | None:
        held = self.held_by()
        if held not in (None, owner):
            return held
        self.hold(owner, seconds)
        return None

    def keep_lock(self, owner: str, seconds: int) -> bool:
        if self.held_by() != owner:
            return False
        self.hold(owner, seconds)
        return True

    def release_lock(self, owner: str) -> None:
        if self.holder == owner:
            self.holder = None

    def hold(self, owner: str, seconds: float) -> None:
        self.holder, self.expires_at = owner, self.clock() + seconds

    def held_by(self) -> str | None:
        return self.holder if self.clock() < self.expires_at else None


def terms(clock: Clock, owner: str = "ada", *, lock_seconds: int = 30, wait_seconds: float = 300.0) -> Terms:
    return Terms(owner, lock_seconds, wait_seconds, clock, clock.sleep, jitter=lambda: 0.5)
