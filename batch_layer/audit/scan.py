"""Compares every customer in Spark's tasks, which read both slots and the deltas by token range (R18)."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final

import pyarrow as pa
from pyspark.sql import DataFrame

from batch_layer.audit.ranges import Found, Reads, Scope
from batch_layer.audit.tally import TALLY, Tally
from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.view.digest import of_row
from batch_layer.view.verify import token_range
from common.algebra.pointer import Plan
from common.servers.cassandra import connected
from common.servers.patience import patiently

CUSTOMERS_PER_RANGE: Final = 4000
"""About how many customers a task holds in memory at once."""
GATHERED: Final = "customer_id string, new string, offsets array<bigint>, cells array<string>"


_RANGES_PER_TASK: Final = 4


def ranges_of(job: Job, plan: Plan, rows: int) -> int:
    """Returns into how many token ranges a scan of so many customers is cut."""
    return max(_RANGES_PER_TASK * _tasks(job, plan), rows // CUSTOMERS_PER_RANGE + 1)


def _tasks(job: Job, plan: Plan) -> int:
    """One for each core, each with a connection of its own; of few records the connection costs more than the rows."""
    return 1 if master.is_small(plan.cut) else job.spark.sparkContext.defaultParallelism


def scanned(job: Job, scope: Scope) -> DataFrame:
    """Returns the query that compares every customer in both slots or in the deltas; its columns are `TALLY`."""

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        tally = Tally()
        for found in _read(scope, batches):
            for customer, state in found.new.items():
                tally.digest += of_row(customer, state)
            for each in found.customers():
                tally.add(each.customer, scope.verdict(each))
        yield tally.batch()

    return _ranges(job, scope).mapInArrow(run, TALLY)


def gathered(job: Job, scope: Scope) -> DataFrame:
    """Returns the query of the columns `GATHERED`: each customer's new row, and the deltas from the current cut on."""

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for found in _read(scope, batches):
            rows = list(found.customers())
            yield pa.RecordBatch.from_arrays(
                [
                    pa.array([each.customer for each in rows], pa.string()),
                    pa.array([each.new for each in rows], pa.string()),
                    pa.array([[offset for offset, _ in each.deltas] for each in rows], pa.list_(pa.int64())),
                    pa.array([[text for _, text in each.deltas] for each in rows], pa.list_(pa.string())),
                ],
                names=["customer_id", "new", "offsets", "cells"],
            )

    return _ranges(job, scope).mapInArrow(run, GATHERED)


def _ranges(job: Job, scope: Scope) -> DataFrame:
    return job.spark.range(0, scope.ranges, 1, _tasks(job, scope.claim.plan))


def _read(scope: Scope, batches: Iterable[pa.RecordBatch]) -> Iterator[Found]:
    """Reads the token ranges whose numbers are in the column `id`, in a task of its own."""
    with connected(scope.settings, metadata=False) as session:
        reads = Reads(session, scope)
        for batch in batches:
            for index in batch["id"].to_pylist():
                yield patiently(partial(reads.range, token_range(index, scope.ranges)), "auditing the view")
