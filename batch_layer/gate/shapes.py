"""Observing the shape of what each source sent: fields of `data`, their JSON types and nulls, in one pass (R2).

Knows no declared shape.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import pyarrow as pa
from pyspark.sql import DataFrame

from batch_layer.gate.tally import Entry, Tally, shapes_of
from batch_layer.session import spark_errors
from common.log.shapes import Observed

_COLUMNS: Final = {
    "kind": ("string", pa.string()),
    "source": ("string", pa.string()),
    "field": ("string", pa.string()),
    "type": ("string", pa.string()),
    "records": ("bigint", pa.int64()),
    "kafka_partition": ("int", pa.int32()),
    "kafka_offset": ("bigint", pa.int64()),
}
"""The columns of `Entry`, with Spark's and Arrow's types."""


def observed(new: DataFrame) -> list[Observed]:
    """Returns the shape of each source and kind in `new`, rows of the master, valid or not, by kind and source.

    Records that are no JSON object with one of the known types are left out, and so are retractions, which hold ids
    only (R5b). What each task returns is bounded, whatever the records hold.
    """
    schema = ", ".join(f"{name} {sql}" for name, (sql, _) in _COLUMNS.items())
    tasks = new.sparkSession.sparkContext.defaultParallelism
    rows = new.select("kafka_partition", "kafka_offset", "value").coalesce(tasks)  # a task costs Python 0.2 s of CPU
    entries = rows.mapInArrow(_count, schema)
    with spark_errors("looking at the shape of the new records"):
        return shapes_of(Entry(*row) for row in entries.collect())


def _count(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    tally = Tally()
    for batch in batches:
        columns = (batch[name].to_pylist() for name in ("kafka_partition", "kafka_offset", "value"))
        for partition, offset, value in zip(*columns, strict=True):
            tally.add(value, partition, offset)
    schema = pa.schema([(name, kind) for name, (_, kind) in _COLUMNS.items()])
    yield pa.RecordBatch.from_pylist([_named(entry) for entry in tally.entries()], schema)


def _named(entry: Entry) -> dict[str, object]:
    return dict(zip(_COLUMNS, entry, strict=True))
