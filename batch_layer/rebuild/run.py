"""A rebuild, step by step (R13): archive, build while the old generation serves, catch up, switch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cassandra.cluster import Session

from batch_layer.job import Job
from batch_layer.master.archive import Archived, archive, checked_identity
from batch_layer.rebuild import plan
from batch_layer.rebuild.build import Counts, Round, build
from batch_layer.rebuild.letters import keep_letters
from batch_layer.rebuild.plan import Sight
from batch_layer.view import publish
from common.algebra.cut import Cut
from common.algebra.generation import Generation, begin, check_claimed, move
from common.algebra.losses import Range, ranges_of
from common.algebra.pointer import Pointer
from common.errors import BatchError, StoreUnavailable
from common.progress import Progress, cells_of, insert_progress
from common.servers import kafka
from common.servers.cassandra import UNAVAILABLE
from common.servers.patience import patiently
from common.waiting import read_progress


class Declarations(Protocol):
    """How tables of a generation come and go; whoever owns the schema knows it."""

    def make(self, generation: int) -> None: ...

    def existing(self) -> set[int]: ...

    def retire(self, generation: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A rebuild that has switched."""

    generation: int
    left: int
    """The generation that was served before."""
    counts: Counts
    resumes: Cut
    """Where the workers of the new generation resume."""
    unpublished: Sequence[Range]
    """The records whose copies and alerts nobody has published, and nobody will."""
    letters: int
    """How many of them are dead letters, which are kept."""


def rebuild(job: Job, tables: Declarations, *, at_batch: bool = False) -> Rebuilt:
    """Builds a new generation of the speed tables from the log, and switches to it; returns it.

    Meanwhile the old one is written and served. Killed before the switch, it has changed nothing, and the same command
    begins with the next number. Workers go on where they were; with `at_batch`, they skip to the cut of the batch that
    is current, if they were behind it: a log that no worker has read is skipped to there. Raises ClaimLost if another
    rebuild began meanwhile, LogError if the log is not as recorded, and BatchError if the log grows faster than this
    rebuilds, or if there is no batch with `at_batch`.
    """
    skip_to = _cut_to_skip_to(job) if at_batch else Cut.zero()
    archived_at = job.clock()
    archived = archive(job)
    job.done("archive", f"{archived.records} new records")
    before = publish.transition(job.session, begin)
    number = before.rebuilding
    if number is None:
        raise AssertionError(before)
    built = Generation(number, written_since=job.clock())
    tables.make(number)
    job.done("tables", f"generation {number}, beside generation {before.generation}")
    sight = seen(job, archived, archived_at, skip_to)
    rounds = _Rounds(job, before, number, sight)
    archived = rounds.until_near(archived, sight)
    silent = plan.unpublished(rounds.sight, ranges_of(before))
    letters = keep_letters(job, archived.snapshot, silent, len(sight.partitions))
    _write_progress(job, rounds, archived.validation_version)
    publish.transition(job.session, lambda pointer: move(pointer, built))
    job.done("switch", f"generation {number} is served; its workers resume at {_text(rounds.built)}")
    _retire(job, tables, served=number, left=before.generation)
    return Rebuilt(
        generation=number,
        left=before.generation,
        counts=rounds.counts,
        resumes=rounds.built,
        unpublished=silent,
        letters=letters,
    )


def check_unread(job: Job) -> None:
    """Raises BatchError, which says what to do, if workers have applied some of the log."""
    rows = patiently(lambda: read_progress(job.session), "reading the progress")
    applied = {partition: row.next_offset for partition, row in rows.items() if row.next_offset}
    if applied:
        raise BatchError(
            f"workers have applied some of this log (next offsets {_text(Cut.of(applied))}): leave --first out; "
            "`lambda360 speed rebuild --at-batch` skips what they have not applied"
        )


def _cut_to_skip_to(job: Job) -> Cut:
    current = publish.read(job.session).published
    if current is None:
        raise BatchError("there is no batch at whose cut workers could go on: `lambda360 batch run` makes one")
    return current.plan.cut


def seen(job: Job, archived: Archived, archived_at: int, skip_to: Cut) -> Sight:
    """Returns what the next round is planned from."""
    identity = checked_identity(job)
    served = patiently(lambda: read_progress(job.session), "reading the progress")
    firsts = kafka.first_offsets(job.settings, identity.partitions)
    return Sight(archived=archived.cut, archived_at=archived_at, firsts=firsts, served=served, skip_to=skip_to)


class _Rounds:
    """The rounds of one rebuild, and how far they are."""

    def __init__(self, job: Job, before: Pointer, number: int, sight: Sight) -> None:
        self._job = job
        self._number = number
        self._deltas_from = plan.deltas_from(before, sight.partitions)
        self.sight = sight
        self.built = Cut.zero()
        self.counts = Counts()

    def until_near(self, archived: Archived, sight: Sight) -> Archived:
        """Builds round after round, each of what came during the one before, until little is missing.

        Returns what is archived then. Raises BatchError if the rounds do not get ahead of the log, and
        ClaimLost if another rebuild began.
        """
        missing_before = None
        while True:
            self._round(archived.snapshot, sight)
            archived_at = self._job.clock()
            archived = archive(self._job)
            sight = seen(self._job, archived, archived_at, sight.skip_to)
            check_claimed(publish.read(self._job.session), self._number)
            missing = plan.behind(sight, self.built)
            if plan.is_near(missing, missing_before) and self.built.covers(Cut.of(sight.firsts)):
                break
            missing_before = missing
        if missing > self._job.settings.serving.max_behind_records:
            raise BatchError(
                f"the log grows faster than it is rebuilt: {missing} records are missing, after {self.counts.records} "
                "that were built. Nothing was switched; run this again at a quieter time"
            )
        return archived

    def progress_rows(self, version: str) -> list[Progress]:
        """Returns the rows that the new generation begins with."""
        return plan.progress_rows(self.sight, self.built, self._deltas_from, version=version, now=self._job.clock())

    @property
    def number(self) -> int:
        return self._number

    def _round(self, snapshot: int, sight: Sight) -> None:
        until = plan.resumes(sight)
        part = Round(
            generation=self._number,
            snapshot=snapshot,
            since=self.built,
            until=until,
            deltas_from=self._deltas_from,
        )
        try:
            found = build(self._job, part, len(sight.partitions))
        except BatchError:  # where another rebuild has switched, it dropped these tables
            check_claimed(publish.read(self._job.session), self._number)
            raise
        self.counts = Counts(*(one + other for one, other in zip(self.counts, found, strict=True)))
        self.built = until
        self.sight = sight
        self._job.done("build", f"{found.records} records of {found.customers} customers, {found.rows} rows")


def _retire(job: Job, tables: Declarations, *, served: int, left: int) -> None:
    """Drops the tables that nobody reads any more. What cannot be dropped now is left for the next rebuild."""
    try:
        for generation in plan.retired(tables.existing(), served, left):
            tables.retire(generation)
            job.done("drop", f"the tables of generation {generation}")
    except (StoreUnavailable, *UNAVAILABLE) as error:
        job.done("drop", f"left for the next rebuild: {error}")


def _write_progress(job: Job, rounds: _Rounds, version: str) -> None:
    for row in rounds.progress_rows(version):
        values = cells_of(rounds.number, row)
        patiently(lambda: _insert(job.session, values), "writing the progress")  # noqa: B023 # called at once


def _insert(session: Session, values: tuple[object, ...]) -> None:
    session.execute(insert_progress("%s"), values)


def _text(offsets: Cut) -> str:
    return ",".join(f"{partition}:{offset}" for partition, offset in offsets.offsets.items())
