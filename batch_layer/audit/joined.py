"""The comparisons that join by customer in Spark: with the recomputation, where no slot holds what is needed (R18)."""

from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from batch_layer.audit.compare import Gathered
from batch_layer.audit.ranges import Scope
from batch_layer.audit.scan import gathered
from batch_layer.audit.tally import NAMED, TALLY, Tally
from batch_layer.job import Job
from batch_layer.session import spark_errors
from batch_layer.view import verify
from common.algebra.pointer import Claim


def differing(job: Job, claim: Claim, states: DataFrame) -> tuple[int, list[str]]:
    """Returns how many customers' rows in the slot are lost, wrong or too many, and the first NAMED of them.

    `states` is the recomputation, with `customer_id` and `state`.
    """
    joined = states.select("customer_id", "state").join(verify.rows_of(job, claim), on="customer_id", how="full")
    wrong = joined.where(~F.col("state").eqNullSafe(F.col("held"))).select("customer_id").cache()
    try:
        with spark_errors("comparing the slot with the recomputation"):
            return wrong.count(), [row["customer_id"] for row in wrong.sort("customer_id").limit(NAMED).collect()]
    finally:
        wrong.unpersist()


def compared_with(job: Job, scope: Scope, base: DataFrame) -> DataFrame:
    """Returns the query of the columns `scan.TALLY` that compares with a recomputation in place of the current slot.

    `base` is the recomputation of the current cut, with `customer_id` and `state`. The digest is that of no row.
    """
    renamed = base.select("customer_id", F.col("state").alias("base"))
    joined = gathered(job, scope).join(renamed, on="customer_id", how="full")
    columns = joined.select("customer_id", "base", "new", "offsets", "cells")

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        tally = Tally()
        for batch in batches:
            for row in batch.to_pylist():
                deltas = list(zip(row["offsets"] or (), row["cells"] or (), strict=True))
                each = Gathered(row["customer_id"], row["base"], row["new"], deltas)
                tally.add(each.customer, scope.verdict(each))
        yield tally.batch()

    return columns.mapInArrow(run, TALLY)
