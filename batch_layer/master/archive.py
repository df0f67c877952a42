"""Archiving: appends every record of the log to the master, once; a late archiver's commit fails (R15)."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from pyspark import StorageLevel
from pyspark.sql import functions as F

from batch_layer.job import Job
from batch_layer.master import log
from batch_layer.master import table as master
from batch_layer.master.table import Conflict, Head
from batch_layer.master.validate import validated
from batch_layer.session import spark_errors
from batch_layer.watch import watched
from common.algebra.cut import Cut
from common.algebra.losses import Range, ranges_of
from common.errors import BatchError
from common.log.events import validation_version
from common.log.normalizing import Rules
from common.servers import kafka, log_identity, pointer_row
from common.servers.log_identity import LogIdentity
from common.servers.patience import patiently

ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Archived:
    """The master after archiving, and how much this run added."""

    snapshot: int
    cut: Cut
    """The offsets below which the snapshot holds every record."""
    validation_version: str
    records: int = 0
    rejected: int = 0
    """How many of the added records validation rejected."""


def archive(job: Job, target: Cut | None = None) -> Archived:
    """Appends the log's committed records below `target`, validated by this release, and returns the result.

    Without a target, these are all that are committed at the call. The master may hold more than the target already.
    Idempotent: without new records, nothing is committed. A master that another release validated is validated again
    first. Raises LogError, and writes nothing, if the log is not the recorded one (R1), no longer holds the first
    record needed, or ends below what is archived, and BatchError if other runs keep committing first.
    """
    identity = checked_identity(job)
    ends = Cut.of(kafka.end_offsets(job.settings, identity.partitions))
    wanted = ends if target is None else target
    master.ensure(job)
    records = 0
    rejected = 0
    for _ in range(ATTEMPTS):
        head = master.head(job)
        if head is not None:
            log_identity.compare(LogIdentity(identity.topic, head.topic_id, identity.partitions), identity)
            log.check_not_shorter(identity, head.offsets, ends)
        with suppress(Conflict):  # another run committed first: plan again, from its head
            if head is not None and head.validation_version != master_version(job):
                revalidate(job, identity, head)
            elif head is None or not head.offsets.covers(wanted):
                records, rejected = append(job, identity, head, wanted.at_least(cut_of_head(head)))
            else:
                return Archived(
                    snapshot=head.snapshot,
                    cut=head.offsets,
                    validation_version=head.validation_version,
                    records=records,
                    rejected=rejected,
                )
    raise BatchError(f"other runs changed the master during {ATTEMPTS} attempts; let them finish, and run this again")


def cut_of_head(head: Head | None) -> Cut:
    """Returns the offsets below which everything is archived; zero before the first commit."""
    return Cut.zero() if head is None else head.offsets


def checked_identity(job: Job) -> LogIdentity:
    """Returns the log's recorded identity. Raises LogError if the topic in Kafka is not, or no longer, that log."""
    found = kafka.topic_identity(job.settings, job.settings.log.topic)
    return patiently(lambda: log_identity.check(job.session, found), "reading the log's identity")


def append(job: Job, identity: LogIdentity, head: Head | None, ends: Cut) -> tuple[int, int]:
    """Appends the records in [`head`'s offsets, `ends`) by one commit; returns how many, and how many are rejected.

    Raises Conflict, and appends nothing, if another archiver has committed since `head`.
    """
    accepted = accepted_losses(job)
    firsts = kafka.first_offsets(job.settings, identity.partitions)
    starts = log.held_from(identity, firsts, cut_of_head(head), ends, accepted)
    archive_id = 1 if head is None else head.archive_id + 1
    count = ends.records_above(starts)
    is_small = count <= master.SMALL
    raw = log.records(job, identity, starts, ends).withColumn("archive_id", F.lit(archive_id).cast("bigint"))
    raw = raw.coalesce(1) if is_small else raw
    rows = validated(raw, identity.partitions, _rules(job)).persist(StorageLevel.DISK_ONLY)
    try:
        with spark_errors("reading the log"), watched(job, "archive", count):
            counts = rows.agg(F.count("*").alias("records"), F.count("rejected_rule").alias("rejected"))
            [counted] = counts.collect()
        checked_identity(job)  # again: the topic may have been recreated while it was read
        master.replace(
            job,
            rows,
            planned_from=None if head is None else head.snapshot,
            head_after=head_after(job, identity, archive_id, ends, accepted),
            replaced=master.added_by(archive_id),
            in_one_task=is_small,
        )
    finally:
        rows.unpersist()
    return counted["records"], counted["rejected"]


def revalidate(job: Job, identity: LogIdentity, head: Head) -> None:
    """Validates every row again, from its raw bytes, and replaces all rows by one commit; the records stay the same.

    Raises Conflict, and changes nothing, if another archiver has committed since `head`.
    """
    held = master.at_snapshot(job, head.snapshot)
    rows = validated(held, identity.partitions, _rules(job))
    after = head_after(job, identity, head.archive_id, head.offsets, accepted_losses(job))
    master.replace(job, rows, planned_from=head.snapshot, head_after=after, replaced=F.lit(True))


def accepted_losses(job: Job) -> list[Range]:
    """Returns the ranges that an operator accepted as lost (R15): they are not in the master."""
    return ranges_of(pointer_row.patient_read(job.session))


def head_after(job: Job, identity: LogIdentity, archive_id: int, offsets: Cut, losses: Sequence[Range]) -> Head:
    """Returns the head that a commit is to leave. Its snapshot is 0, since the id is not known before the commit."""
    return Head(
        snapshot=0,
        archive_id=archive_id,
        offsets=offsets,
        topic_id=identity.topic_id,
        validation_version=master_version(job),
        losses=tuple(losses),
    )


def _rules(job: Job) -> Rules:
    return Rules(job.settings.log.currency)


def master_version(job: Job) -> str:
    """Returns the validation version of this release and its settings (R7)."""
    return validation_version(_rules(job))
