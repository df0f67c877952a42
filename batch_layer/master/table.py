"""The master dataset: the Iceberg table `events`, its rows, and what each snapshot says of itself (R15)."""

from typing import Any, Final

import msgspec
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from batch_layer.job import Job
from batch_layer.session import CATALOG, spark_errors
from common.algebra.cut import Cut
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
"""A record as the log holds it; everything else in a row follows from these."""
PARSED: Final = {
    "rejected_field": "string",
    "rejected_value": "string",
    "rejected_rule": "string",
    "customer_id": "string",
    "kind": "string",
    "entity_id": "string",
    "version": "bigint",
    "retracted": "boolean",
    "future_dated": "boolean",
    **{name: "bigint" if kind is int else "string" for name, kind in payload_columns().items()},
}
"""What validation made of it: either the `rejected_` columns or the others are null. An erasure has no version."""
COLUMNS: Final = {**RAW, "archive_id": "bigint", **PARSED}
"""`archive_id` numbers the archiving commits, from 1: what a repeated one collides on."""
_PROPERTY: Final = "lambda360.master"
_CONFLICTS: Final = ("ValidationException", "CommitFailedException", "CommitStateUnknownException")
"""What Iceberg calls a commit that another one came before, or whose fate the new head will tell."""


class Head(msgspec.Struct, frozen=True):
    """A snapshot, and what its commit says of the master as a whole: every commit of any kind says it."""

    snapshot: int
    archive_id: int
    """Of the last archiving commit, from 1."""
    offsets: Cut
    """Every record below was archived, and none at or above."""
    topic_id: str
    validation_version: str


class Conflict(BatchError):
    """Another commit came first, and this one changed nothing."""


def table(settings: Settings) -> str:
    """The master's name in Spark: one per deployment, as the keyspace is."""
    return f"{CATALOG}.{settings.cassandra.keyspace}.events"


def ensure(job: Job) -> None:
    """The master exists and has every column; two runs may do this at once."""
    name = table(job.settings)
    columns = ", ".join(f"`{column}` {kind}" for column, kind in COLUMNS.items())
    buckets = f"bucket({job.settings.batch.buckets}, customer_id)"
    try:
        with spark_errors("making the master"):
            job.spark.sql(f"CREATE TABLE IF NOT EXISTS {name} ({columns}) USING iceberg PARTITIONED BY ({buckets})")
    except BatchError:
        if not job.spark.catalog.tableExists(name):  # else the catalog's word for losing the race with another run
            raise
    present = {field.name() for field in _iceberg(job).schema().columns()}
    missing = ", ".join(f"`{column}` {kind}" for column, kind in COLUMNS.items() if column not in present)
    if missing:
        with spark_errors("adding columns to the master"):
            job.spark.sql(f"ALTER TABLE {name} ADD COLUMNS ({missing})")


def head(job: Job) -> Head | None:
    """The current snapshot, and what it says; none before the first commit."""
    current = _iceberg(job).currentSnapshot()
    if current is None:
        return None
    stated = msgspec.json.decode(current.summary().get(_PROPERTY), type=Head)
    return msgspec.structs.replace(stated, snapshot=current.snapshotId())


def _iceberg(job: Job) -> Any:
    """Iceberg's own view of the table, as it is now: its metadata tables would cost a Spark job for each question."""
    jvm: Any = job.spark._jvm  # noqa: SLF001 # the documented way from Python to Iceberg's Java API
    return jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(job.spark._jsparkSession, table(job.settings))  # noqa: SLF001 # likewise


def added_by(archive_id: int) -> Column:
    """The condition that holds for the rows of one archiving commit."""
    return F.col("archive_id") == archive_id


def at_snapshot(job: Job, snapshot: int) -> DataFrame:
    """The whole master as it was at `snapshot`."""
    return job.spark.read.option("versionAsOf", snapshot).table(table(job.settings))


def replace(job: Job, rows: DataFrame, planned_from: int | None, stated: Head, replaced: Column) -> None:
    """One commit: `rows` take the place of those where `replaced` holds, and `stated` describes the result.

    Raises Conflict, and changes nothing, if a commit since the snapshot `planned_from` (none: since ever) added a row
    where `replaced` holds. `stated.snapshot` counts for nothing: a snapshot has its id when it is there.
    """
    writer = (
        rows.select(*COLUMNS)
        .writeTo(table(job.settings))
        .option("isolation-level", "serializable")
        .option(f"snapshot-property.{_PROPERTY}", msgspec.json.encode(stated).decode())
    )
    if planned_from is not None:
        writer = writer.option("validate-from-snapshot-id", str(planned_from))
    try:
        with spark_errors("writing the master"):
            writer.overwrite(replaced)
    except BatchError as error:
        if any(name in repr(error.__cause__) + str(error.__cause__) for name in _CONFLICTS):
            raise Conflict from error
        raise
