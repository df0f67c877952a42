"""Takes erased customers out of the exported tables, warehouse and features, and out of their history (R24)."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from pyspark.sql import DataFrame

from batch_layer import lake
from batch_layer.erasure import iceberg
from batch_layer.erasure.iceberg import Removed
from batch_layer.job import Job
from batch_layer.session import spark_errors
from common.algebra.cut import Cut
from common.log.erasure import Erasure
from common.log.position import offsets_of

_KEYS: Final = ("customer_id", "batch_id")


class Exported(StrEnum):
    """The exported tables: rows of a customer, with the columns `batch_id` and `cut`."""

    WAREHOUSE = "customer_metrics"
    FEATURES = "features"


def remove(job: Job, of: Sequence[Erasure], table: Exported = Exported.WAREHOUSE) -> Removed | None:
    """Removes the rows of erased customers that come from a batch whose cut is not above the erasure.

    Then older snapshots and their files go. None without the table. Idempotent. An export that was planned before
    this call cannot be committed after it.
    """
    name = lake.name_of(job.settings, table)
    if not lake.exists(job.spark, name):
        return None
    planned_from = lake.current(job, name)
    if planned_from is None:
        return Removed()
    held = job.spark.read.option("versionAsOf", planned_from).table(name)
    doomed = _doomed(job, of, _cuts(held, name))
    with spark_errors(f"looking for erased customers in {name}"):
        rows = held.join(doomed, on=list(_KEYS), how="left_semi").count()
    if rows:
        iceberg.delete(job, name, doomed, planned_from, _KEYS)
    iceberg.commit_nothing(job, name)
    snapshots, files = iceberg.forget_history(job, name)
    return Removed(rows, snapshots, files)


def _cuts(held: DataFrame, name: str) -> Mapping[int, Cut]:
    """The cut of each batch that has rows in the table."""
    with spark_errors(f"reading {name}"):
        found = held.select("batch_id", "cut").distinct().collect()
    return {row["batch_id"]: Cut.of(offsets_of(row["cut"])) for row in found}


def _doomed(job: Job, of: Sequence[Erasure], cuts: Mapping[int, Cut]) -> DataFrame:
    """The columns `_KEYS`: each erased customer with each batch that knows nothing of the erasure."""
    pairs = [
        (each.customer_id, batch_id)
        for each in of
        for batch_id, cut in cuts.items()
        if cut[each.position.partition] <= each.position.offset
    ]
    return job.spark.createDataFrame(pairs, "customer_id string, batch_id bigint")
