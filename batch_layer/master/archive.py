"""Archiving: every record of the log, once, into the master, by commits that a late archiver loses (R15)."""

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
from common.algebra.cut import Cut
from common.errors import BatchError
from common.log.events import validation_version
from common.log.normalizing import Rules
from common.servers import kafka, log_identity
from common.servers.log_identity import LogIdentity
from common.servers.patience import patiently

ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Archived:
    """The master after archiving: its snapshot, the offsets it holds everything below, and what this run added."""

    snapshot: int
    cut: Cut
    validation_version: str
    records: int = 0
    rejected: int = 0


def archive(job: Job) -> Archived:
    """The master holds, as this release validates them, all committed records that lay in the log at the call.

    Nothing new means no commit. Raises LogError if the log is not the recorded one (R1), or no longer holds the
    first record needed: then nothing is written.
    """
    identity = checked_identity(job)
    ends = Cut.of(kafka.end_offsets(job.settings, identity.partitions))
    master.ensure(job)
    records = rejected = 0
    for _ in range(ATTEMPTS):
        head = master.head(job)
        if head is not None:
            log_identity.compare(LogIdentity(identity.topic, head.topic_id, identity.partitions), identity)
        with suppress(Conflict):  # another run committed first: plan again from what it left
            if head is not None and head.validation_version != _version(job):
                revalidate(job, identity, head)
            elif head is None or not head.offsets.covers(ends):
                records, rejected = append(job, identity, head, ends)
            else:
                return Archived(head.snapshot, head.offsets, head.validation_version, records, rejected)
    raise BatchError(f"other runs changed the master {ATTEMPTS} times meanwhile; let them finish, and run this again")


def checked_identity(job: Job) -> LogIdentity:
    """The log's recorded identity. Raises LogError if Kafka's topic is another one by now."""
    found = kafka.topic_identity(job.settings, job.settings.log.topic)
    return patiently(lambda: log_identity.check(job.session, found), "reading the log's identity")


def append(job: Job, identity: LogIdentity, head: Head | None, ends: Cut) -> tuple[int, int]:
    """One commit adds the records in [`head`'s offsets, `ends`): how many, and how many of them rejected.

    Raises Conflict, and adds nothing, if another archiver has committed since `head`.
    """
    starts = Cut.zero() if head is None else head.offsets
    log.check_held(job, identity, starts, ends)
    archive_id = 1 if head is None else head.archive_id + 1
    raw = log.records(job, identity, starts, ends).withColumn("archive_id", F.lit(archive_id).cast("bigint"))
    rows = validated(raw, identity.partitions, _rules(job)).persist(StorageLevel.DISK_ONLY)
    try:
        with spark_errors("reading the log"):
            total, rejected = rows.agg(F.count("*"), F.count("rejected_rule")).collect()[0]
        checked_identity(job)  # the topic was not recreated while it was read
        planned_from = None if head is None else head.snapshot
        master.replace(job, rows, planned_from, stated(job, identity, archive_id, ends), master.added_by(archive_id))
    finally:
        rows.unpersist()
    return total, rejected


def revalidate(job: Job, identity: LogIdentity, head: Head) -> None:
    """One commit puts every row through this release's validation again, from its raw bytes; the records stay the same.

    Raises Conflict, and changes nothing, if another archiver has committed since `head`.
    """
    held = master.at_snapshot(job, head.snapshot)
    rows = validated(held, identity.partitions, _rules(job))
    master.replace(job, rows, head.snapshot, stated(job, identity, head.archive_id, head.offsets), F.lit(True))


def stated(job: Job, identity: LogIdentity, archive_id: int, offsets: Cut) -> Head:
    """What a commit says of the master that it leaves; the snapshot gets its id by being made."""
    return Head(0, archive_id, offsets, identity.topic_id, _version(job))


def _rules(job: Job) -> Rules:
    return Rules(job.settings.log.currency)


def _version(job: Job) -> str:
    return validation_version(_rules(job))
