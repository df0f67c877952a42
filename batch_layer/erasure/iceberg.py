"""Takes rows out of an Iceberg table, and out of its history: snapshots, manifests, data files and orphans.

A commit here is made on a branch, and the table goes over to it only if no other commit came in between (R15).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from pyspark.sql import DataFrame

from batch_layer import object_store
from batch_layer.erasure.found import KEYS
from batch_layer.job import Job
from batch_layer.lake import actions, load
from batch_layer.master.table import PROPERTY, Conflict
from batch_layer.session import spark_errors
from common.errors import BatchError

BRANCH: Final = "maintaining"
_VIEW: Final = "lambda360_forgotten"
_PROPERTY_SETTING: Final = f"spark.sql.iceberg.snapshot-property.{PROPERTY}"
_LOST: Final = ("not an ancestor", "CommitFailedException")
"""Iceberg's errors where another commit came in between: before the fast-forward was prepared, or after."""
_STORES_CLOCK: Final = 1_000
"""Milliseconds; an object store dates its files by whole seconds, so a file may be younger than it seems."""
_AFTER: Final = 1_000
"""Milliseconds; what is older than the present is expired, the present included."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What was taken out of an Iceberg table."""

    rows: int = 0
    """Records; a record that stands in several rows counts once."""
    snapshots: int = 0
    files: int = 0
    tags: int = 0
    """Tags that name the snapshot that is left."""

    @property
    def figures(self) -> str:
        tags = f"; {self.tags} tags moved" if self.tags else ""
        return f"{self.rows} records, {self.snapshots} older snapshots, {self.files} files{tags}"


def delete(job: Job, name: str, doomed: DataFrame, planned_from: int, keys: Sequence[str] = KEYS) -> None:
    """Deletes the rows with the `keys` of a row of `doomed`, by one commit that carries the head of `planned_from`.

    Only data files that hold such a row are written anew. Raises Conflict, and changes nothing, if another commit was
    made since that snapshot.
    """
    head = load(job, name).snapshot(planned_from).summary().get(PROPERTY)
    matches = " AND ".join(f"f.{key} = t.{key}" for key in keys)
    with branched(job, name, planned_from) as branch, spark_errors(f"erasing from {name}"):
        doomed.createOrReplaceTempView(_VIEW)
        with _carrying(job, head):
            job.spark.sql(
                f"DELETE FROM {name}.branch_{branch} AS t WHERE EXISTS (SELECT 1 FROM {_VIEW} AS f WHERE {matches})"
            )
        job.spark.catalog.dropTempView(_VIEW)


@contextmanager
def branched(job: Job, name: str, planned_from: int) -> Iterator[str]:
    """Yields a branch of the table at the snapshot `planned_from`; at the end, the table goes over to the branch.

    Raises Conflict, and the table stays as it is, if another commit to it was made since that snapshot.
    """
    table = load(job, name)
    _drop_branch(table)
    with spark_errors(f"branching {name}"):
        table.manageSnapshots().createBranch(BRANCH, planned_from).commit()
    try:
        yield BRANCH
    except BaseException:
        _drop_branch(load(job, name))
        raise
    _go_over(job, name)


def _go_over(job: Job, name: str) -> None:
    table = load(job, name)
    try:
        with spark_errors(f"going over to a branch of {name}"):
            table.manageSnapshots().fastForwardBranch("main", BRANCH).commit()
    except BatchError as error:
        if any(sign in f"{error} {error.__cause__!r}" for sign in _LOST):
            raise Conflict from error
        raise
    finally:
        _drop_branch(load(job, name))


def commit_nothing(job: Job, name: str) -> None:
    """Makes commits without a row: once older snapshots are gone, whatever was planned earlier cannot be committed.

    There are two, since Iceberg still knows the parent of the last snapshot that is left.
    """
    with spark_errors(f"committing to {name}"):
        for _ in range(2):
            load(job, name).newFastAppend().commit()


def tag_current(job: Job, name: str) -> list[str]:
    """Moves every tag to the current snapshot, and returns the names of the tags. Idempotent."""
    table = load(job, name)
    now = table.currentSnapshot().snapshotId()
    refs = table.refs()
    tags = sorted(str(ref) for ref in refs if refs.get(ref).isTag())
    with spark_errors(f"moving the tags of {name}"):
        for tag in tags:
            if refs.get(tag).snapshotId() != now:
                table.manageSnapshots().replaceTag(tag, now).commit()
    return tags


def forget_history(job: Job, name: str) -> tuple[int, int]:
    """Removes every snapshot but the current one, and every file that it does not need; returns how many of each.

    The files of a commit that is under way stay, since they are younger than the current snapshot. A commit that was
    planned before that snapshot fails from now on (see `Conflict`), so its files are nobody's.
    """
    table = load(job, name)
    _drop_branch(table)  # else it would keep the snapshot that a compaction was planned from
    table.refresh()
    snapshots = sum(1 for _ in table.snapshots()) - 1
    made_at = table.currentSnapshot().timestampMillis()
    in_store = object_store.is_s3(str(table.location()))
    older_than = made_at - made_at % _STORES_CLOCK if in_store else made_at
    with spark_errors(f"expiring snapshots of {name}"):
        on = actions(job)
        expired = on.expireSnapshots(table).expireOlderThan(made_at + _AFTER).retainLast(1).execute()
        unknown = on.deleteOrphanFiles(load(job, name)).olderThan(older_than)
        orphans = unknown.usePrefixListing(in_store).execute()  # else it asks Hadoop, which knows no such store
    removed = expired.deletedDataFilesCount() + expired.deletedManifestsCount() + expired.deletedManifestListsCount()
    return snapshots, removed + sum(1 for _ in orphans.orphanFileLocations())


def _drop_branch(table: Any) -> None:
    """Drops the branch, which a run or a compaction that was killed may have left."""
    refs = table.refs()
    if BRANCH in {str(ref) for ref in refs}:
        with spark_errors("dropping a branch"):
            table.manageSnapshots().removeBranch(BRANCH).commit()


@contextmanager
def _carrying(job: Job, head: str | None) -> Iterator[None]:
    """Every commit inside stores the head, as each commit to the master must (R15)."""
    if head is not None:
        job.spark.conf.set(_PROPERTY_SETTING, head)
    try:
        yield
    finally:
        job.spark.conf.unset(_PROPERTY_SETTING)
