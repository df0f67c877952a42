"""What `lambda360 doctor` finds, and its checks of the views: losses, gaps in the log, and marks (R12, R15, R18)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cassandra.cluster import Session

from batch_layer.manifest import Manifest, Step, manifests
from batch_layer.view import publish
from common import runbook
from common.algebra.cut import Cut
from common.algebra.losses import Range, ranges_of, uncovered
from common.algebra.pointer import Pointer
from common.errors import Lambda360Error
from common.progress import Progress
from common.servers import kafka, log_identity
from common.settings import Settings
from common.waiting import read_progress


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. If it is `needed` and not `well`, the system cannot work."""

    subject: str
    well: bool
    detail: str
    remedy: str = ""
    needed: bool = True


def of_views(session: Session, settings: Settings) -> Iterator[Finding]:
    """Yields what the pointer, the log's offsets and the workers' progress say together."""
    try:
        pointer = publish.read(session)
        runs = manifests(session)
        identity = log_identity.find(session, settings.log.topic)
        if identity is not None:
            firsts = kafka.first_offsets(settings, identity.partitions)
            lasts = kafka.last_offsets(settings, identity.partitions)
            yield of_log(pointer, archived(runs, pointer), read_progress(session), firsts, lasts)
    except Lambda360Error as error:
        yield Finding("records of the log", well=False, detail=str(error), remedy="do what that message says")
        return
    yield from of_audits(pointer, runs)
    yield from of_exports(pointer, runs)
    yield from of_pointer(pointer)


def archived(runs: Sequence[Manifest], pointer: Pointer) -> Cut:
    """Returns offsets below which the master holds every record, as far as it is known without Spark."""
    plans = [each.plan for each in pointer.complete] + [each.plan for each in pointer.claims]
    plans += [each.plan for each in runs if each.step.number > Step.ARCHIVE.number]
    cuts = [plan.cut for plan in plans]
    partitions = {partition for cut in cuts for partition in cut.offsets}
    return Cut.of({partition: max(cut[partition] for cut in cuts) for partition in partitions})


def of_log(
    pointer: Pointer,
    archived: Cut,
    progress: Mapping[int, Progress],
    firsts: Mapping[int, int],
    lasts: Mapping[int, int],
) -> Finding:
    """Returns whether the log holds what batch and workers need next: no gap, and no end below what was read."""
    applied = {partition: row.next_offset for partition, row in progress.items()}
    short = [p for p, last in lasts.items() if last < max(archived[p], applied.get(p, 0))]
    if short:
        named = ", ".join(f"partition {p} ends at {lasts[p]}" for p in short)
        detail = f"{named}, below what was archived or applied"
        return Finding("records of the log", well=False, detail=detail, remedy=f"see {runbook.RESTORE}")
    known = ranges_of(pointer)
    gaps = [Range(p, archived[p], first) for p, first in firsts.items() if archived[p] < first]
    lost = [part for gap in gaps for part in uncovered(gap, known)]
    if lost:
        detail = f"gone from Kafka, and in no batch: {', '.join(map(str, lost))} (partition:from:to)"
        options = " ".join(f"--accept-loss {each}" for each in lost)
        remedy = f"see {runbook.LOSS}; the way on may be `lambda360 speed rebuild {options} --reason R`"
        return Finding("records of the log", well=False, detail=detail, remedy=remedy)
    behind = [Range(p, at, firsts[p]) for p, at in applied.items() if at < firsts.get(p, 0)]
    if behind:
        detail = f"gone from Kafka before workers applied them: {', '.join(map(str, behind))}; the master holds them"
        if known:
            detail += ", but for what was accepted as lost"
        return Finding("records of the log", well=False, detail=detail, remedy="run `lambda360 speed rebuild`")
    return Finding("records of the log", well=True, detail="all that batch and workers need next is in Kafka")


def of_audits(pointer: Pointer, runs: Sequence[Manifest]) -> Iterator[Finding]:
    """Yields the batches in slots that were published without a full audit: answers stand on them, or may again."""
    audits = {run.batch_id: run.audit for run in runs}
    for batch in sorted(pointer.complete, key=lambda batch: batch.batch_id):
        audit = audits.get(batch.batch_id)
        if audit is not None and not audit.unaudited:
            continue
        why = "it has no audit's report" if audit is None else "; ".join(audit.unaudited)
        current = " is current and" if batch.batch_id == pointer.current else ""
        detail = f"batch {batch.batch_id}{current} was published unaudited, in whole or in part: {why}"
        remedy = f"`lambda360 batch verify {batch.batch_id}` recomputes and compares it; the next batch is audited"
        yield Finding("audit", well=False, detail=detail, remedy=remedy, needed=False)


def of_exports(pointer: Pointer, runs: Sequence[Manifest]) -> Iterator[Finding]:
    """Yields the batches in slots whose run stopped or was killed behind its switch; one may be at work still."""
    complete = {batch.batch_id for batch in pointer.complete}
    for run in runs:
        if run.batch_id in complete and run.is_open:
            why = run.reason or "no reason yet"
            detail = f"batch {run.batch_id} is published, and {run.status} at {run.step}: {why}"
            remedy = "unless it is at work, `lambda360 batch run` finishes it"
            yield Finding("export", well=False, detail=detail, remedy=remedy, needed=False)


def of_pointer(pointer: Pointer) -> Iterator[Finding]:
    """Yields what degrades answers until an operator does something."""
    yield Finding("generation", well=True, detail=f"{pointer.generation} of the speed tables is served")
    waiting = [Range.of(loss) for loss in pointer.losses if not loss.sent_again]
    if waiting:
        detail = f"accepted, and not yet declared as sent again: {', '.join(map(str, waiting))}"
        remedy = f"have the sources send them again, then `lambda360 speed declare-sent`; see {runbook.LOSS}"
        yield Finding("losses", well=False, detail=detail, remedy=remedy, needed=False)
    if pointer.marked:
        detail = "drift was accepted for some customers, whose answers are degraded"
        yield Finding("marks", well=False, detail=detail, remedy="run `lambda360 speed rebuild`", needed=False)
