"""The master dataset: the Iceberg table `events`, its columns, its commits, and their heads (R15). Knows no Kafka."""

from contextlib import closing
from typing import Any, Final

import msgspec
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from batch_layer import lake
from batch_layer.job import Job
from batch_layer.session import spark_errors
from common.algebra.cut import Cut
from common.algebra.losses import Range
from common.algebra.payloads import payload_columns
from common.errors import BatchError
from common.settings import Settings

RAW: Final = {
    "kafka_partition": "int",
    "kafka_offset": "bigint",
    "appended_at": "bigint",
    "key": "binary",
    "value": "binary",
}
"""A record as the log holds it; the other columns of its row follow from these."""
REJECTION: Final = {"rejected_field": "string", "rejected_value": "string", "rejected_rule": "string"}
"""Why validation rejected the record; null for a valid one."""
FACT: Final = {
    "customer_id": "string",
    "kind": "string",
    "entity_id": "string",
    "version": "bigint",
    "retracted": "boolean",
    "future_dated": "boolean",
    **{name: "bigint" if kind is int else "string" for name, kind in payload_columns().items()},
}
"""What a valid record holds; null for a rejected one. An erasure has no version."""
PARSED: Final = {**REJECTION, **FACT}
"""The result of validation."""
COLUMNS: Final = {**RAW, "archive_id": "bigint", **PARSED}
"""`archive_id` numbers the archiving commits, from 1; a repeated commit conflicts with the first over its number."""
ARROW: Final = {
    "int": pa.int32(),
    "bigint": pa.int64(),
    "string": pa.string(),
    "binary": pa.binary(),
    "boolean": pa.bool_(),
}
"""The Arrow types of the columns' types."""
TAG: Final = "batch-"
"""How the tags of batches' snapshots begin; a batch's id follows."""
PROPERTY: Final = "lambda360.master"
"""The property of each snapshot that holds its head."""
_TABLE_PROPERTIES: Final = {
    **lake.WITHOUT_BOUNDS,
    **{
        f"write.metadata.metrics.column.{name}": "full"
        for name in ("kafka_partition", "kafka_offset", "appended_at", "archive_id")
    },
}
"""Manifests hold bounds of these columns only."""
SMALL: Final = 20_000
"""So many records are read by one task: for each bucket a task of its own, and for each step a shuffle, cost more."""
_CONFLICTS: Final = ("ValidationException", "CommitFailedException", "CommitStateUnknownException")
"""Iceberg's errors for a commit that lost to another one, and for one whose outcome only the new head shows."""


class Head(msgspec.Struct, frozen=True):
    """A snapshot, and the description of the whole master that each commit of any kind stores with it."""

    snapshot: int
    archive_id: int
    """The number of the last archiving commit, from 1."""
    offsets: Cut
    """Every record below them is archived, but for the `losses`, and none at or above."""
    topic_id: str
    validation_version: str
    losses: tuple[Range, ...] = ()
    """The ranges below `offsets` that are not archived: an operator accepted them as lost."""


class Conflict(BatchError):
    """Another commit to the master came first; this one changed nothing."""


def table(settings: Settings) -> str:
    """Returns the master's name in Spark."""
    return lake.name_of(settings, "events")


def exists(job: Job) -> bool:
    """Whether there is a master; `head` needs one."""
    return lake.exists(job.spark, table(job.settings))


def ensure(job: Job) -> None:
    """Creates the master, and the columns and properties that it lacks. Idempotent; two runs may do it at once."""
    name = table(job.settings)
    lake.create(job, name, COLUMNS, f"bucket({job.settings.batch.buckets}, customer_id)", _TABLE_PROPERTIES)
    made = _iceberg(job)
    lake.add_missing(job, name, COLUMNS, {field.name() for field in made.schema().columns()})
    if any(made.properties().get(key) != value for key, value in _TABLE_PROPERTIES.items()):
        with spark_errors("setting properties of the master"):
            job.spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ({lake.quoted(_TABLE_PROPERTIES)})")


def head(job: Job) -> Head | None:
    """Returns the current snapshot's head; None before the first commit."""
    current = _iceberg(job).currentSnapshot()
    if current is None:
        return None
    stored = msgspec.json.decode(current.summary().get(PROPERTY), type=Head)
    return msgspec.structs.replace(stored, snapshot=current.snapshotId())


class Commit(msgspec.Struct, frozen=True):
    """When a snapshot was committed, and what it holds."""

    at: int
    """Microseconds since the epoch, UTC, by the clock of the driver that committed it."""
    offsets: Cut


def commit_of(job: Job, snapshot: int) -> Commit:
    """Returns the commit of one of the master's snapshots."""
    found = _iceberg(job).snapshot(snapshot)
    head = msgspec.json.decode(found.summary().get(PROPERTY), type=Head)
    return Commit(found.timestampMillis() * 1000, head.offsets)


def _iceberg(job: Job) -> Any:
    return lake.load(job, table(job.settings))


def added_by(archive_id: int) -> Column:
    """Returns the condition that holds for the rows of one archiving commit."""
    return F.col("archive_id") == archive_id


def at_snapshot(job: Job, snapshot: int) -> DataFrame:
    """Returns the whole master as it was at `snapshot`; one of at most `SMALL` records as a single partition."""
    rows = job.spark.read.option("versionAsOf", snapshot).table(table(job.settings))
    return rows.coalesce(1) if _records(job, snapshot) <= SMALL else rows


def _records(job: Job, snapshot: int) -> int:
    """The records in a snapshot, by its own summary."""
    return int(_iceberg(job).snapshot(snapshot).summary().get("total-records"))


def is_small(cut: Cut) -> bool:
    """Whether at most `SMALL` records lie below the cut."""
    return cut.records_above(Cut.zero()) <= SMALL


def has_snapshot(job: Job, snapshot: int) -> bool:
    """Whether the master still has that snapshot: maintenance and erasures remove old ones."""
    return _iceberg(job).snapshot(snapshot) is not None


def files_of(job: Job, snapshot: int) -> list[list[str]]:
    """Returns where the snapshot's data files are, those of a bucket together; buckets without files are left out.

    Raises BatchError if another tool has written delete files, which hide rows of the data files.
    """
    scan = _iceberg(job).newScan().useSnapshot(snapshot)
    found: dict[str, list[str]] = {}
    with spark_errors("planning the recomputation"), closing(scan.planFiles()) as planned:
        tasks = planned.iterator()
        while tasks.hasNext():
            task = tasks.next()
            if not task.deletes().isEmpty():
                raise BatchError(
                    f"snapshot {snapshot} of the master has delete files, which only another tool can have written; "
                    "rewrite its data files (Iceberg's rewrite_data_files) before the next batch"
                )
            file = task.file()
            found.setdefault(file.partition().toString(), []).append(str(file.location()))
    return [found[bucket] for bucket in sorted(found)]


def fields_of(job: Job) -> dict[str, tuple[int, pa.DataType]]:
    """Returns the id and the type of each column, by its present name."""
    return {
        field.name(): (field.fieldId(), ARROW[COLUMNS[field.name()]])
        for field in _iceberg(job).schema().columns()
        if field.name() in COLUMNS
    }


def tag(job: Job, snapshot: int, batch_id: int) -> None:
    """Names the snapshot `batch-<id>`, so that maintenance keeps it for `batch verify`. Idempotent.

    Does nothing if an erasure has removed the snapshot since.
    """
    table = _iceberg(job)
    name = f"{TAG}{batch_id}"
    with spark_errors(f"tagging snapshot {snapshot}"):
        if table.refs().get(name) is None and table.snapshot(snapshot) is not None:
            table.manageSnapshots().createTag(name, snapshot).commit()


def replace(
    job: Job,
    rows: DataFrame,
    *,
    planned_from: int | None,
    head_after: Head,
    replaced: Column,
    in_one_task: bool = False,
) -> None:
    """Replaces the rows where `replaced` holds by `rows`, in one commit, which stores `head_after`.

    With `in_one_task`, one task writes the files of all buckets, without a shuffle; `rows` should be few then.

    Raises Conflict, and changes nothing, if a commit after the snapshot `planned_from` (None: any commit at all) added
    a row where `replaced` holds. The snapshot in `head_after` is ignored: `head` returns the commit's own.
    """
    written = rows.select(*COLUMNS)
    writer = (
        (written.coalesce(1) if in_one_task else written)
        .writeTo(table(job.settings))
        .option("isolation-level", "serializable")
        .option(f"snapshot-property.{PROPERTY}", msgspec.json.encode(head_after).decode())
    )
    if in_one_task:
        writer = writer.option("distribution-mode", "none")
    if planned_from is not None:
        writer = writer.option("validate-from-snapshot-id", str(planned_from))
    try:
        with spark_errors("writing the master"):
            writer.overwrite(replaced)
    except BatchError as error:
        if any(name in repr(error.__cause__) + str(error.__cause__) for name in _CONFLICTS):
            raise Conflict from error
        raise
