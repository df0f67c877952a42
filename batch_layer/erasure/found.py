"""Finds the last erasure of each customer in the master, and the rows that these erasures forget. Changes nothing."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from batch_layer.job import Job
from batch_layer.session import spark_errors
from common.algebra.payloads import ERASURE
from common.log.erasure import Erasure
from common.log.mention import record_names
from common.log.position import Position

KEYS: Final = ("kafka_partition", "kafka_offset")
_KEY_COLUMNS: Final = "kafka_partition int, kafka_offset bigint"
_KEY_SCHEMA: Final = pa.schema([("kafka_partition", pa.int32()), ("kafka_offset", pa.int64())])
_READ: Final = (*KEYS, "appended_at", "key", "value")


def erasures(rows: DataFrame) -> list[Erasure]:
    """Returns the last erasure of each customer among the master's `rows`, in the order of their positions."""
    last = (
        rows.where(F.col("kind") == ERASURE)
        .groupBy("customer_id")
        .agg(F.max(F.struct("kafka_offset", "kafka_partition", "appended_at")).alias("last"))
        .select("customer_id", "last.*")
    )
    with spark_errors("reading the erasures"):
        found = last.collect()
    made = (
        Erasure(row["customer_id"], Position(row["kafka_partition"], row["kafka_offset"]), row["appended_at"])
        for row in found
    )
    return sorted(made, key=lambda each: each.position)


def forgotten(job: Job, rows: DataFrame, of: Sequence[Erasure]) -> DataFrame:
    """Returns the positions (`KEYS`) of the rows that the erasures forget, valid or not.

    `rows` has the columns `customer_id`, `appended_at`, `key` and `value` besides. A row without a `customer_id` was
    rejected by validation: its customer is the one that its bytes name.
    """
    erased = job.spark.createDataFrame(
        [(each.customer_id, each.position.offset) for each in of], "erased_id string, erased_at bigint"
    )
    is_before = (F.col("customer_id") == F.col("erased_id")) & (F.col("kafka_offset") < F.col("erased_at"))
    valid = rows.join(F.broadcast(erased), on=is_before, how="inner").select(*KEYS)
    rejected = rows.where(F.col("customer_id").isNull()).select(*_READ).mapInArrow(_finder(of), _KEY_COLUMNS)
    return valid.unionByName(rejected).distinct()


def _finder(of: Sequence[Erasure]) -> Callable[[Iterable[pa.RecordBatch]], Iterable[pa.RecordBatch]]:
    def find(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            found: list[Position] = []
            for partition, offset, appended_at, key, value in zip(
                *(batch[name].to_pylist() for name in _READ), strict=True
            ):
                position = Position(partition, offset)
                if any(e.forgets(position, appended_at) and record_names(e.customer_id, key, value) for e in of):
                    found.append(position)
            columns = ([each.partition for each in found], [each.offset for each in found])
            yield pa.RecordBatch.from_arrays(
                [pa.array(values, field.type) for values, field in zip(columns, _KEY_SCHEMA, strict=True)],
                schema=_KEY_SCHEMA,
            )

    return find
