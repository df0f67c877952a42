"""Takes what erasures forget out of the master, and then out of its history (R15, R24)."""

from contextlib import suppress
from typing import Final

from msgspec.structs import replace
from pyspark.sql import functions as F

from batch_layer import lake
from batch_layer.erasure import iceberg
from batch_layer.erasure.found import KEYS, forgotten
from batch_layer.erasure.iceberg import Removed
from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.master.table import Conflict, Head
from batch_layer.session import spark_errors
from batch_layer.view import publish
from common.algebra.pointer import Pointer
from common.errors import BatchError
from common.log.erasure import Erasure

ATTEMPTS: Final = 5


def remove(job: Job, of: list[Erasure]) -> Removed:
    """Removes the records that the erasures forget from the master, its snapshots and its files. Idempotent.

    1. The rows go, by one commit that carries the head.
    2. An empty commit follows. From it on no manifest names a file that had such rows, and whatever was planned
       earlier can no longer be committed.
    3. Every tag, and the snapshot of every batch in a slot, becomes that commit's: below a batch's cut it holds what
       the batch was computed from, but for what was erased.
    4. All older snapshots and their files go.
    """
    rows = rows_removed(job, of)
    name = master.table(job.settings)
    tags = iceberg.tag_current(job, name)
    _point_batches_at(job, lake.current(job, name) or 0)
    snapshots, files = iceberg.forget_history(job, name)
    return Removed(rows, snapshots, files, len(tags))


def rows_removed(job: Job, of: list[Erasure]) -> int:
    """Returns how many records were removed by the first two steps of `remove`."""
    rows = 0
    for _ in range(ATTEMPTS):
        head = master.head(job)
        if head is None:
            return 0
        with suppress(Conflict):  # another commit came first: look again, from its snapshot
            rows += _delete(job, head, of)
            _commit_nothing(job, master.head(job) or head)
            return rows
    raise BatchError(f"other runs changed the master during {ATTEMPTS} attempts; let them finish, and run this again")


def _delete(job: Job, head: Head, of: list[Erasure]) -> int:
    """Returns how many rows were deleted by a commit on top of `head`. Raises Conflict if another one came first."""
    held = master.at_snapshot(job, head.snapshot)
    positions = forgotten(job, held, of).persist()
    try:
        with spark_errors("looking for erased records in the master"):
            rows = positions.count()
        if _has_bounds(job):
            kept = held.join(positions, on=list(KEYS), how="left_anti")
            master.replace(job, kept, planned_from=head.snapshot, head_after=head, replaced=F.lit(True))
        elif rows:
            iceberg.delete(job, master.table(job.settings), positions, head.snapshot)
    finally:
        positions.unpersist()
    return rows


def _commit_nothing(job: Job, head: Head) -> None:
    """Makes a commit without a row on top of `head`. Raises Conflict if another archiver committed since."""
    none = master.at_snapshot(job, head.snapshot).limit(0)
    later = F.col("archive_id") > head.archive_id
    master.replace(job, none, planned_from=head.snapshot, head_after=head, replaced=later)


def _has_bounds(job: Job) -> bool:
    """Whether manifests hold customers' values, as those of a master of an older release do: then all is rewritten."""
    files = job.spark.table(f"{master.table(job.settings)}.files")
    with spark_errors("reading the manifests"):
        return not files.where("readable_metrics.customer_id.lower_bound IS NOT NULL").isEmpty()


def _point_batches_at(job: Job, snapshot: int) -> None:
    """The batches in slots name `snapshot` from now on, since the one that they were computed from goes."""

    def change(before: Pointer) -> Pointer:
        moved = (replace(batch, plan=replace(batch.plan, snapshot=snapshot)) for batch in before.complete)
        return replace(before, complete=tuple(moved))

    publish.transition(job.session, change)
