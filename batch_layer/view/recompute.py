"""The recomputation: from a snapshot of the master below a cut to one row for each customer (R16).

Iceberg plans, Spark schedules, and each task reads the data files of a bucket and computes in columns: a bucket holds
all facts of its customers, so nothing is shuffled (docs/adr/0031).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import pyarrow as pa
from pyspark.sql import DataFrame

from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.object_store import DataFiles
from batch_layer.view import columns
from batch_layer.view.bucket import BucketRows
from common.algebra import measures
from common.algebra.cut import Cut

STATES: Final = "customer_id string, state string"
"""The columns of a recomputation: `state` is the text of `ViewRow.to_json`."""
_ROWS: Final = 20_000
"""Of a batch of states."""


def recomputed(job: Job, snapshot: int, cut: Cut) -> DataFrame:
    """Returns the columns `STATES`, one row for each customer known below `cut`.

    A customer is known who has a current fact since the last reset, even when the state is zero.
    """
    buckets = master.files_of(job, snapshot)
    tasks = job.spark.range(0, len(buckets), 1, 1 if master.is_small(cut) else max(len(buckets), 1))
    files = DataFiles.of(job.settings)
    return tasks.mapInArrow(_states_of(buckets, files, master.fields_of(job), cut, measures.MEASURES), STATES)


def _states_of(
    buckets: Sequence[Sequence[str]],
    files: DataFiles,
    fields: dict[str, tuple[int, pa.DataType]],
    cut: Cut,
    asked: Sequence[measures.Measure],
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch["id"].to_pylist():
                rows = BucketRows.of_files([files.open(each) for each in buckets[number]], fields, cut)
                for found in columns.states(rows, asked):
                    table = pa.table({"customer_id": found.customers, "state": found.texts})
                    yield from table.to_batches(max_chunksize=_ROWS)

    return run
