"""Upkeep of the Iceberg tables: few large data files, and no snapshot that nobody needs (R15, R16).

No answer and no batch changes by it: a compacted snapshot holds the same rows, and the master's carries the same head.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from batch_layer import lake
from batch_layer.erasure import iceberg
from batch_layer.export import features, warehouse
from batch_layer.export.tables import KEPT_SNAPSHOTS
from batch_layer.gate import quarantine, scores
from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.master.table import PROPERTY, Conflict, Head
from batch_layer.session import spark_errors
from batch_layer.view import publish
from common.algebra.dates import MICROS_PER_DAY
from common.algebra.pointer import Pointer
from common.errors import BatchError

LEAST_FILES: Final = 4
"""A partition with so many small files is written anew; fewer cost a reader less than a rewrite does."""
OTHERS: Final = (scores.table, quarantine.table, warehouse.TABLE.name, features.TABLE.name)
"""Names the tables beside the master that every batch writes to; each is partitioned by batch or by day."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What was done to one table."""

    table: str
    """Its name in the keyspace, such as `events`."""
    compacted: int = 0
    """Data files that were written anew."""
    into: int = 0
    """Data files in their place."""
    tags: int | None = None
    """Of the master, dropped tags of batches: `batch verify` recomputes these from the newest snapshot from now on."""
    snapshots: int = 0
    files: int = 0
    """Files that nothing names any more: data files, manifests and lists of manifests."""

    @property
    def figures(self) -> str:
        tags = "" if self.tags is None else f"{self.tags} tags, "
        return (
            f"{self.compacted} data files into {self.into}; {tags}{self.snapshots} snapshots and {self.files} files "
            "removed"
        )


def keep_up(job: Job, report: Callable[[Upkeep], None] = lambda done: None) -> tuple[Upkeep, ...]:
    """Compacts each table, and expires what nobody names; drops the master's tags older than `batch.keep_days`.

    Of the master a snapshot stays if it is the current one, is tagged, or is that of a batch in a slot or of a run that
    is not finished; of another table if it is among the newest `KEPT_SNAPSHOTS`. `report` is called with each table
    once it is done. Idempotent. Killed anywhere, it leaves every table as it was or as it is to be, and the same call
    finishes it. Raises BatchError, and has not compacted that table, if another commit to it came in between.
    """
    done: list[Upkeep] = []
    for name in (master.table(job.settings), *(of(job.settings) for of in OTHERS)):
        planned_from = lake.current(job, name) if lake.exists(job.spark, name) else None
        if planned_from is None:
            continue
        head = master.head(job) if name == master.table(job.settings) else None
        kept = _of_other(job, name, planned_from) if head is None else _of_master(job, name, head)
        done.append(kept)
        report(kept)
    return tuple(done)


def _of_master(job: Job, name: str, head: Head) -> Upkeep:
    compacted, into = _compact(job, name, head.snapshot, _carried(head))
    pointer = publish.read(job.session)
    tags = _drop_tags(job, pointer)
    plans = [*(batch.plan for batch in pointer.complete), *(claim.plan for claim in pointer.claims)]
    snapshots, files = _expire(job, name, {plan.snapshot for plan in plans})
    return Upkeep("events", compacted, into, tags, snapshots, files)


def _of_other(job: Job, name: str, planned_from: int) -> Upkeep:
    compacted, into = _compact(job, name, planned_from, {})
    newest = sorted(lake.load(job, name).snapshots(), key=lambda each: int(each.sequenceNumber()))[-KEPT_SNAPSHOTS:]
    snapshots, files = _expire(job, name, {int(each.snapshotId()) for each in newest})
    return Upkeep(name.rpartition(".")[2], compacted, into, None, snapshots, files)


def _carried(head: Head) -> Mapping[str, str]:
    return {PROPERTY: msgspec.json.encode(head).decode()}


def _compact(job: Job, name: str, planned_from: int, carried: Mapping[str, str]) -> tuple[int, int]:
    """Rewrites partitions of many small files, by one commit on top of a snapshot, which stores `carried`.

    Returns the files before and after.
    """
    try:
        with iceberg.branched(job, name, planned_from) as branch, spark_errors(f"compacting {name}"):
            action = lake.actions(job).rewriteDataFiles(lake.load(job, name)).toBranch(branch)
            for key, value in carried.items():
                action = action.snapshotProperty(key, value)
            done = action.option("min-input-files", str(LEAST_FILES)).execute()
            return int(done.rewrittenDataFilesCount()), int(done.addedDataFilesCount())
    except Conflict as error:
        raise BatchError(f"another run changed {name} meanwhile, so it was not compacted; run this again") from error


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


def _expire(job: Job, name: str, needed: Collection[int]) -> tuple[int, int]:
    """Removes the snapshots that nothing names, and the files that only they need; returns how many of each.

    Tags, branches and `needed` name snapshots.
    """
    table: Any = lake.load(job, name)
    refs = table.refs()
    named = {*needed, *(int(refs.get(ref).snapshotId()) for ref in refs)}
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
