"""Upkeep of the master: few large data files, and no snapshot that nobody needs (R15, R16).

No answer and no batch changes by it: a compacted snapshot holds the same records, and carries the same head.
"""

from dataclasses import dataclass
from typing import Final

import msgspec

from batch_layer import lake
from batch_layer.erasure import iceberg
from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.master.table import PROPERTY, Conflict, Head
from batch_layer.session import spark_errors
from batch_layer.view import publish
from common.algebra.dates import MICROS_PER_DAY
from common.algebra.pointer import Pointer
from common.errors import BatchError

LEAST_FILES: Final = 4
"""A bucket with so many small files is written anew; fewer cost a recomputation less than a rewrite does."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What one upkeep did."""

    compacted: int = 0
    """Data files that were written anew."""
    into: int = 0
    """Data files in their place."""
    tags: int = 0
    """Tags of batches that were dropped: `batch verify` recomputes these from the newest snapshot now."""
    snapshots: int = 0
    files: int = 0
    """Files that nothing names any more: data files, manifests and lists of manifests."""

    @property
    def figures(self) -> str:
        return (
            f"{self.compacted} data files into {self.into}; {self.tags} tags, {self.snapshots} snapshots and "
            f"{self.files} files removed"
        )


def keep_up(job: Job) -> Upkeep:
    """Compacts the master, drops tags that are older than `batch.keep_days`, and expires what nobody names. Idempotent.

    A snapshot stays if it is the current one, is tagged, or is that of a batch in a slot or of a run that is not
    finished. Raises BatchError, and has compacted nothing, if another commit came in between.
    """
    head = master.head(job)
    if head is None:
        return Upkeep()
    try:
        compacted, into = _compact(job, head)
    except Conflict as error:
        raise BatchError("another run changed the master meanwhile, so it was not compacted; run this again") from error
    pointer = publish.read(job.session)
    tags = _drop_tags(job, pointer)
    snapshots, files = _expire(job, pointer)
    return Upkeep(compacted, into, tags, snapshots, files)


def _compact(job: Job, head: Head) -> tuple[int, int]:
    """Rewrites buckets of many small files, by one commit on top of `head`; returns the files before and after."""
    name = master.table(job.settings)
    with iceberg.branched(job, name, head.snapshot) as branch:
        with spark_errors("compacting the master"):
            done = (
                lake.actions(job)
                .rewriteDataFiles(lake.load(job, name))
                .toBranch(branch)
                .snapshotProperty(PROPERTY, msgspec.json.encode(head).decode())
                .option("min-input-files", str(LEAST_FILES))
                .execute()
            )
        return int(done.rewrittenDataFilesCount()), int(done.addedDataFilesCount())


def _drop_tags(job: Job, pointer: Pointer) -> int:
    """Drops the tags of batches whose snapshot is older than `batch.keep_days`, but for those in slots."""
    table = lake.load(job, master.table(job.settings))
    held = {f"{master.TAG}{batch.batch_id}" for batch in pointer.complete}
    oldest = job.clock() - job.settings.batch.keep_days * MICROS_PER_DAY
    refs = table.refs()
    dropped = 0
    for tag in sorted(str(ref) for ref in refs if str(ref).startswith(master.TAG) and str(ref) not in held):
        snapshot = table.snapshot(refs.get(tag).snapshotId())
        if snapshot is None or snapshot.timestampMillis() * 1000 < oldest:
            with spark_errors(f"dropping tag {tag}"):
                table.manageSnapshots().removeTag(tag).commit()
            dropped += 1
    return dropped


def _expire(job: Job, pointer: Pointer) -> tuple[int, int]:
    """Removes the snapshots that nothing names, and the files that only they need; returns how many of each."""
    name = master.table(job.settings)
    table = lake.load(job, name)
    plans = [*(batch.plan for batch in pointer.complete), *(claim.plan for claim in pointer.claims)]
    refs = table.refs()
    named = {plan.snapshot for plan in plans} | {int(refs.get(ref).snapshotId()) for ref in refs}
    unnamed = {int(each.snapshotId()) for each in table.snapshots()} - named
    if not unnamed:
        return 0, 0
    action = lake.actions(job).expireSnapshots(table)
    for snapshot in sorted(unnamed):
        action = action.expireSnapshotId(snapshot)
    with spark_errors(f"expiring snapshots of {name}"):
        done = action.execute()
    files = done.deletedDataFilesCount() + done.deletedManifestsCount() + done.deletedManifestListsCount()
    return len(unnamed), files
