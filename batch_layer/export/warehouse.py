"""The warehouse: the Iceberg table `customer_metrics`, one partition for each day, replaced whole."""

from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from batch_layer import lake
from batch_layer.export.columns import AS_OF, COLUMNS
from batch_layer.export.tables import ExportedTable
from batch_layer.job import Job
from batch_layer.session import spark_errors
from common.algebra.dates import day_of
from common.settings import Settings

TABLE: Final = ExportedTable("customer_metrics", {name: kind.sql for name, kind in COLUMNS.items()}, AS_OF)


class Held(NamedTuple):
    """What the warehouse holds of a day: so many rows of a batch."""

    as_of: date
    batch_id: int
    rows: int


def table(settings: Settings) -> str:
    """Returns the table's name in Spark."""
    return TABLE.name(settings)


def ensure(job: Job) -> None:
    """Creates the table, and the columns that it lacks. Idempotent. Raises BatchError for a column of another type."""
    TABLE.ensure(job)


def replace(job: Job, rows: DataFrame, days: Sequence[date], planned_from: int | None) -> int:
    """Replaces the partitions of `days` by `rows`, in one commit; returns the snapshot that holds them. Idempotent.

    `rows` has the columns `COLUMNS`, and no other day. Raises BatchError, and changes nothing, if another commit to one
    of the partitions came after the snapshot `planned_from` (None: any commit at all).
    """
    return TABLE.replace(job, rows, days, planned_from)


def current(job: Job) -> int | None:
    """Returns the id of the table's current snapshot; None if it has none."""
    return TABLE.current(job)


def day(job: Job, as_of: date, snapshot: int) -> DataFrame:
    """Returns the rows of a day, as they were at a snapshot."""
    return TABLE.at(job, snapshot).where(F.col(AS_OF) == as_of)


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
