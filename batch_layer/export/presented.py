"""Presents a published batch's customers as of days: the same states as the batch's, in Spark's tasks (R6, R16)."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import pyarrow as pa
from pyspark.sql import DataFrame

from batch_layer.export.columns import SQL_SCHEMA, Stamp, decoded, rows_of_day
from batch_layer.job import Job
from batch_layer.view.load import Task
from batch_layer.view.recompute import recomputed
from common.algebra.dates import datetime_of
from common.algebra.pointer import Published
from common.algebra.versions import logic_version
from common.errors import BatchError


def states_of(job: Job, batch: Published) -> DataFrame:
    """Returns the batch's states (`customer_id`, `state`), recomputed.

    Raises BatchError if the batch was computed by another logic version: its states would not be the published ones.
    """
    if is_of_other_logic(batch):
        raise BatchError(
            f"batch {batch.batch_id} is of logic version {batch.plan.logic_version}, and this release's is "
            f"{logic_version()}; `lambda360 batch run` makes a batch that this release can export"
        )
    return recomputed(job, batch.plan.snapshot, batch.plan.cut)


def is_of_other_logic(batch: Published) -> bool:
    """Whether another release computed the batch, by measures that this one does not have (R7)."""
    return batch.plan.logic_version != logic_version()


def presented(states: DataFrame, batch: Published, days: Sequence[date]) -> DataFrame:
    """Returns the exported columns of each customer for each of the days; a state is decoded once for all of them."""
    return states.select("customer_id", "state").mapInArrow(_presenter(Stamp.of(batch), tuple(days)), SQL_SCHEMA)


def _presenter(stamp: Stamp, days: tuple[date, ...]) -> Task:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            views = decoded(batch)
            for day in days:
                yield rows_of_day(batch["customer_id"], views, day, stamp)

    return run


def day_of_batch(batch: Published) -> date:
    """Returns the UTC day on which the batch was published: the day of its export, whenever that is made."""
    return datetime_of(batch.published_at).date()
