"""The warehouse: the Iceberg table `customer_metrics`, one partition for each day, replaced whole."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final, NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from batch_layer import lake
from batch_layer.export.columns import AS_OF, COLUMNS
from batch_layer.job import Job
from batch_layer.session import spark_errors
from common.algebra.dates import day_of
from common.errors import BatchError
from common.settings import Settings

KEPT_SNAPSHOTS: Final = 10
"""So many of the newest snapshots stay, for who reads meanwhile; the others go, with the rows that were replaced."""
_PROPERTIES: Final = {
    **lake.WITHOUT_BOUNDS,
    "write.parquet.row-group-size-bytes": str(16 * 1024 * 1024),  # a task holds one row group of each day in memory
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": str(KEPT_SNAPSHOTS),
}


class Held(NamedTuple):
    """What the warehouse holds of a day: so many rows of a batch."""

    as_of: date
    batch_id: int
    rows: int


def table(settings: Settings) -> str:
    """Returns the table's name in Spark."""
    return lake.name_of(settings, "customer_metrics")


def ensure(job: Job) -> None:
    """Creates the table, and the columns that it lacks: columns are only ever added. Idempotent.

    Raises BatchError if a column has another type than this release's, since its values could not stand in it.
    """
    name = table(job.settings)
    columns = {column: kind.sql for column, kind in COLUMNS.items()}
    lake.create(job, name, columns, AS_OF, _PROPERTIES)
    present = _types(job)
    for column, kind in COLUMNS.items():
        if column in present and present[column] != kind.sql:
            raise BatchError(
                f"column {column} of {name} is {present[column]}, and this release writes {kind.sql}: rename that "
                "column, and the next export adds a new one"
            )
    lake.add_missing(job, name, columns, present)


def replace(job: Job, rows: DataFrame, days: Sequence[date], planned_from: int | None) -> int:
    """Replaces the partitions of `days` by `rows`, in one commit; returns the snapshot that holds them. Idempotent.

    `rows` has the columns `COLUMNS`, and no other day. Raises BatchError, and changes nothing, if another commit to one
    of the partitions came after the snapshot `planned_from` (None: any commit at all).
    """
    name = table(job.settings)
    tasks = job.spark.sparkContext.defaultParallelism
    older = [F.lit(None).cast(kind).alias(column) for column, kind in _types(job).items() if column not in COLUMNS]
    # A day is a partition, so a shuffle by partition would only bring all of its rows into one task.
    writer = (
        rows.select(*COLUMNS, *older)
        .coalesce(tasks)
        .writeTo(name)
        .option("distribution-mode", "none")
        .option("fanout-enabled", "true")
        .option("isolation-level", "serializable")
    )
    if planned_from is not None:
        writer = writer.option("validate-from-snapshot-id", str(planned_from))
    with spark_errors(f"writing {name}"):
        writer.overwrite(F.col(AS_OF).isin(list(days)))
    made = current(job) or 0
    _expire(job)
    return made


def current(job: Job) -> int | None:
    """Returns the id of the table's current snapshot; None if it has none."""
    return lake.current(job, table(job.settings))


def day(job: Job, as_of: date, snapshot: int) -> DataFrame:
    """Returns the rows of a day, as they were at a snapshot."""
    return job.spark.read.option("versionAsOf", snapshot).table(table(job.settings)).where(F.col(AS_OF) == as_of)


def newest(job: Job, as_of: date) -> int | None:
    """Returns the id of the newest batch of which the warehouse holds rows of the day; None if it holds none."""
    if not lake.holds(job, table(job.settings), AS_OF, day_of(as_of)):  # most days are new, and need no query
        return None
    return max((each.batch_id for each in held(job, as_of, as_of)), default=None)


def held(job: Job, first: date, last: date) -> list[Held]:
    """Returns what the warehouse holds of the days from `first` to `last`, both included, in their order."""
    name = table(job.settings)
    if not lake.exists(job.spark, name):
        return []
    rows = job.spark.table(name).where(F.col(AS_OF).between(first, last))
    counted = rows.groupBy(AS_OF, "batch_id").agg(F.count(F.lit(1)).alias("rows"))
    with spark_errors(f"reading {name}"):
        return sorted(Held(row[AS_OF], row["batch_id"], row["rows"]) for row in counted.collect())


def _types(job: Job) -> dict[str, str]:
    """The types of the table's columns, as SQL spells them."""
    return {field.name: field.dataType.simpleString() for field in job.spark.table(table(job.settings)).schema}


def _expire(job: Job) -> None:
    """Removes all but the newest snapshots, and the files that only they need."""
    made: Any = lake.load(job, table(job.settings))
    if sum(1 for _ in made.snapshots()) > KEPT_SNAPSHOTS:
        until = made.currentSnapshot().timestampMillis() + 1
        with spark_errors("expiring snapshots of the warehouse"):
            made.expireSnapshots().expireOlderThan(until).retainLast(KEPT_SNAPSHOTS).commit()
