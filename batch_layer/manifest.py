"""A run's manifest: its plan, its open step, its status and its figures, for people and for the run that goes on (R19).

What readers see, the pointer alone decides. Knows no Spark.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, Self

import msgspec
from cassandra.cluster import Session

from batch_layer.gate_report import GateReport
from batch_layer.reports import AuditReport
from common.algebra.pointer import NAME, Plan
from common.errors import BatchError
from common.servers.patience import patiently
from common.tables import Tables


class Step(StrEnum):
    """The steps of a run, in their order. Each is idempotent."""

    PLAN = "plan"
    """Which records the run is about: its offsets are resolved once."""
    ARCHIVE = "archive"
    GATE = "gate"
    LOAD = "load"
    """Recomputes every customer, and writes the rows into the claimed slot."""
    AUDIT = "audit"
    PUBLISH = "publish"
    EXPORT = "export"
    """Warehouse, features and rankings; the batch is current already, from here on."""
    NOTIFY = "notify"
    """Tells people what monitoring found."""
    FINISH = "finish"

    @property
    def number(self) -> int:
        return _ORDER[self]


_ORDER: Final = {step: number for number, step in enumerate(Step)}


class Status(StrEnum):
    """What became of a run."""

    RUNNING = "running"
    """It has an open step. Whether somebody works on it, the owner's row says (`batch_layer.owner`)."""
    STOPPED = "stopped"
    """A step failed or refused to go on; `reason` says why. From `EXPORT` on, the batch was published all the same."""
    PUBLISHED = "published"
    ABANDONED = "abandoned"
    """A later run took its place; it was never published."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `slot` is empty before its claim, and `plan.snapshot` is 0 before the records are archived."""

    batch_id: int
    slot: str = ""
    plan: Plan
    status: Status
    step: Step
    """The open step, or the last one."""
    attempt: int = 1
    """How often the run was taken up, from 1."""
    owner: str = ""
    """Who works on it, or did last: account, host and process."""
    reason: str = ""
    """Why it is stopped."""
    started_at: int
    """Microseconds since the epoch, UTC."""
    finished_at: int | None = None
    """When it was published."""
    rows: int | None = None
    checksum: str | None = None
    """Of the loaded rows (`batch_layer.view.digest`)."""
    seconds: dict[str, float] = {}
    """How long each step took, by its name."""
    figures: dict[str, str] = {}
    """What each step reported, by its name."""
    audit: AuditReport | None = None
    """The report of the last audit (R18), also of one that stopped the run."""
    gate: GateReport | None = None
    """What the quality gate found, if it let the run pass."""

    @property
    def is_open(self) -> bool:
        """Whether the run can still be finished."""
        return self.status in (Status.RUNNING, Status.STOPPED)

    def taken_up(self, owner: str) -> Self:
        """Returns the manifest of the run's next attempt, by `owner`."""
        return msgspec.structs.replace(self, attempt=self.attempt + 1, owner=owner)


_LATER_THAN_ANY_CLOCK: Final = 1 << 62
"""Releases before wrote manifests at the time of a clock, which is far below this."""
_STATUSES: Final = tuple(Status)
_ATTEMPTS: Final = 1_000_000


def written_at(manifest: Manifest) -> int:
    """Returns the write timestamp of a manifest: `published` wins, then a later attempt, a later step, a later status.

    No clock takes part. So an owner that was paused, and writes late, never covers what was reached since: neither the
    publication, nor a step of the run that took over.
    """
    published = manifest.status is Status.PUBLISHED
    attempt = min(manifest.attempt, _ATTEMPTS)
    place = (attempt * 10 + manifest.step.number) * 10 + _STATUSES.index(manifest.status)
    return _LATER_THAN_ANY_CLOCK + place + (published * _ATTEMPTS * 1_000)


def write(session: Session, manifest: Manifest) -> None:
    """Stores the manifest, unless a later one of the same batch is stored (`written_at`). Idempotent."""
    text = msgspec.json.encode(manifest).decode()
    insert = (
        f"INSERT INTO {Tables.batches} (name, batch_id, manifest) VALUES (%s, %s, %s) "
        f"USING TIMESTAMP {written_at(manifest)}"
    )
    patiently(lambda: session.execute(insert, (NAME, manifest.batch_id, text)), "recording the batch")


def manifests(session: Session) -> list[Manifest]:
    """Returns all manifests, the newest batch's first."""
    select = f"SELECT manifest FROM {Tables.batches} WHERE name = %s"
    rows = patiently(lambda: list(session.execute(select, (NAME,))), "reading the batches")
    return [decode(row.manifest) for row in rows]


def published_before(runs: Iterable[Manifest], batch_id: int) -> list[Manifest]:
    """Returns those of the runs that were published and came before `batch_id`, in the order given."""
    return [run for run in runs if run.status is Status.PUBLISHED and run.batch_id < batch_id]


def decode(text: str) -> Manifest:
    """Returns the manifest in `text`, also one of a release that knew no steps.

    Raises BatchError if a newer release wrote it, with a step, a status or a plan that this one does not know.
    """
    try:
        older = _OLDER.decode(text)
        if older.step is not None:
            return _MANIFEST.decode(text)
    except msgspec.DecodeError as error:
        raise BatchError(
            f"a run's manifest cannot be read by this release ({error}): a newer one wrote it. Use that release; "
            "`lambda360 batch rollback` works without manifests"
        ) from error
    step, status = _BEFORE_STEPS[older.status]
    return Manifest(
        batch_id=older.batch_id,
        slot=older.slot,
        plan=older.plan,
        status=status,
        step=step,
        started_at=older.started_at,
        finished_at=older.finished_at,
        rows=older.rows,
        checksum=older.checksum,
        seconds=older.seconds,
    )


class _Older(msgspec.Struct, frozen=True):
    """A manifest of a release that knew no steps, and the one field by which a newer one is told apart."""

    batch_id: int
    slot: str
    plan: Plan
    status: str
    started_at: int
    finished_at: int | None = None
    rows: int | None = None
    checksum: str | None = None
    seconds: dict[str, float] = {}
    step: str | None = None


_BEFORE_STEPS: Final = {
    "loading": (Step.LOAD, Status.RUNNING),
    "verified": (Step.PUBLISH, Status.RUNNING),
    "published": (Step.FINISH, Status.PUBLISHED),
}
_MANIFEST: Final = msgspec.json.Decoder(Manifest)
_OLDER: Final = msgspec.json.Decoder(_Older)
