"""The gate's tables in Iceberg: made when they are first needed, and replaced batch by batch. Knows no rule."""

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from batch_layer import lake
from batch_layer.job import Job
from batch_layer.session import spark_errors


def ensure(job: Job, name: str, columns: Mapping[str, str]) -> None:
    """Creates the table, partitioned by batch. Idempotent; two runs may do it at once."""
    lake.create(job, name, columns, "batch_id")


def replace_batch(name: str, rows: DataFrame, batch_id: int) -> None:
    """Replaces the batch's rows in the table by `rows`, in one commit. Idempotent."""
    tasks = rows.sparkSession.sparkContext.defaultParallelism
    # All rows belong to one of the table's partitions, so a shuffle by partition would only bring them into one task.
    writer = rows.coalesce(tasks).writeTo(name).option("distribution-mode", "none").option("fanout-enabled", "true")
    with spark_errors(f"writing {name}"):
        writer.overwrite(F.col("batch_id") == batch_id)


def drop_batch(job: Job, name: str, batch_id: int) -> None:
    """Removes the batch's rows from the table, in one commit. Idempotent."""
    with spark_errors(f"writing {name}"):
        job.spark.sql(f"DELETE FROM {name} WHERE batch_id = {batch_id}")
