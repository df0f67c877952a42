"""Observing what each source sent, in one pass: the shape of its data (R2), and how many records from which origin.

Knows no declared shape.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
from pyspark.sql import DataFrame

from batch_layer.gate.origins import Origins, summed
from batch_layer.gate.tally import Entry, Tally, shapes_of
from batch_layer.gate_report import OriginCount
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
"""The columns of `Entry`, with Spark's and Arrow's types. The row of an origin has no position."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen of a run's new records."""

    shapes: Sequence[Observed]
    """By kind and source."""
    origins: tuple[OriginCount, ...]


def observed(new: DataFrame) -> Observation:
    """Returns the shape of each source and kind in `new`, rows of the master, valid or not, and all their origins.

    From the shapes, records that are no JSON object with one of the known types are left out, and so are retractions,
    which hold ids only (R5b). What each task returns is bounded, whatever the records hold.
    """
    schema = ", ".join(f"{name} {sql}" for name, (sql, _) in _COLUMNS.items())
    tasks = new.sparkSession.sparkContext.defaultParallelism
    rows = new.select(*_READ).coalesce(tasks)  # a task costs Python 0.2 s of CPU
    entries = rows.mapInArrow(_count, schema)
    with spark_errors("looking at the shape of the new records"):
        found = entries.collect()
    return Observation(
        shapes=shapes_of(Entry(*row) for row in found if row["kafka_partition"] is not None),
        origins=summed(
            OriginCount(row["source"], row["kind"], row["records"]) for row in found if row["kafka_partition"] is None
        ),
    )


_READ: Final = ("kafka_partition", "kafka_offset", "value", "kind")


def _count(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    tally = Tally()
    origins = Origins()
    for batch in batches:
        columns = (batch[name].to_pylist() for name in _READ)
        for partition, offset, value, kind in zip(*columns, strict=True):
            tally.add(value, partition, offset)
            origins.add(value, kind)
    schema = pa.schema([(name, kind) for name, (_, kind) in _COLUMNS.items()])
    of_origins = ({"kind": each.kind, "source": each.origin, "records": each.records} for each in origins.counts())
    yield pa.RecordBatch.from_pylist([*map(_named, tally.entries()), *of_origins], schema)


def _named(entry: Entry) -> dict[str, object]:
    return dict(zip(_COLUMNS, entry, strict=True))
