"""An exported table: Iceberg partitions that are replaced whole, columns that are only added, few snapshots."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from batch_layer import lake
from batch_layer.job import Job
from batch_layer.session import spark_errors
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


@dataclass(frozen=True, slots=True)
class ExportedTable:
    """One table; `columns` has the types as SQL spells them. The column `partition` has one value in each partition."""

    table: str
    columns: Mapping[str, str]
    partition: str
    bounded: Sequence[str] = ()
    """Columns whose bounds stand in manifests, so that readers skip files. They must not tell of a customer (R24)."""

    def name(self, settings: Settings) -> str:
        """Returns the table's name in Spark."""
        return lake.name_of(settings, self.table)

    def ensure(self, job: Job) -> None:
        """Creates the table, and the columns that it lacks: columns are only ever added. Idempotent.

        Raises BatchError if a column has another type than this release's, since its values could not stand in it.
        """
        name = self.name(job.settings)
        bounds = {f"write.metadata.metrics.column.{column}": "full" for column in self.bounded}
        lake.create(job, name, self.columns, self.partition, {**_PROPERTIES, **bounds})
        present = self._types(job)
        for column, kind in self.columns.items():
            if column in present and present[column] != kind:
                raise BatchError(
                    f"column {column} of {name} is {present[column]}, and this release writes {kind}: rename that "
                    "column, and the next export adds a new one"
                )
        lake.add_missing(job, name, self.columns, present)

    def replace(self, job: Job, rows: DataFrame, values: Sequence[object], planned_from: int | None) -> int:
        """Replaces the partitions of `values` by `rows`, in one commit; returns the snapshot of it. Idempotent.

        `rows` has the table's `columns`, and no other partition. Raises BatchError, and changes nothing, if another
        commit to one of the partitions came after the snapshot `planned_from` (None: any commit at all).
        """
        name = self.name(job.settings)
        tasks = job.spark.sparkContext.defaultParallelism
        types = self._types(job)
        older = [F.lit(None).cast(kind).alias(column) for column, kind in types.items() if column not in self.columns]
        # What is replaced are few partitions, so a shuffle by partition would only bring their rows into few tasks.
        writer = (
            rows.select(*self.columns, *older)
            .coalesce(tasks)
            .writeTo(name)
            .option("distribution-mode", "none")
            .option("fanout-enabled", "true")
            .option("isolation-level", "serializable")
        )
        if planned_from is not None:
            writer = writer.option("validate-from-snapshot-id", str(planned_from))
        with spark_errors(f"writing {name}"):
            writer.overwrite(F.col(self.partition).isin(list(values)))
        made = self.current(job) or 0
        self._expire(job)
        return made

    def current(self, job: Job) -> int | None:
        """Returns the id of the table's current snapshot; None if it has none."""
        return lake.current(job, self.name(job.settings))

    def at(self, job: Job, snapshot: int) -> DataFrame:
        """Returns the rows, as they were at a snapshot."""
        return job.spark.read.option("versionAsOf", snapshot).table(self.name(job.settings))

    def _types(self, job: Job) -> dict[str, str]:
        """The types of the table's columns, as SQL spells them."""
        return {field.name: field.dataType.simpleString() for field in job.spark.table(self.name(job.settings)).schema}

    def _expire(self, job: Job) -> None:
        """Removes all but the newest snapshots, and the files that only they need."""
        name = self.name(job.settings)
        made: Any = lake.load(job, name)
        if sum(1 for _ in made.snapshots()) > KEPT_SNAPSHOTS:
            until = made.currentSnapshot().timestampMillis() + 1
            with spark_errors(f"expiring snapshots of {name}"):
                made.expireSnapshots().expireOlderThan(until).retainLast(KEPT_SNAPSHOTS).commit()
