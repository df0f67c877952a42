"""Verifying: reads a loaded slot back, by token range in parallel (R17, R18). Writes nothing."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final

import pyarrow as pa
from cassandra.cluster import Session
from cassandra.query import PreparedStatement
from pyspark.sql import DataFrame

from batch_layer.job import Job
from batch_layer.view.digest import Digest, of_row, total
from batch_layer.view.load import DIGEST, collected, digest_batch
from common.algebra.pointer import Claim
from common.servers.cassandra import connected
from common.servers.patience import patiently
from common.tables import Tables

Row = Any
"""A row of a slot as the driver gives it: `customer_id`, `batch_id`, `state`."""
Result = Callable[[Iterable[Row]], pa.RecordBatch]
"""What a scan makes of a range's rows."""
ROWS: Final = "customer_id string, held string"
"""The columns of a slot's rows."""
_RANGES_PER_TASK: Final = 4
_LEAST_TOKEN: Final = -(2**63)
_GREATEST_TOKEN: Final = 2**63 - 1
_PAGE_ROWS: Final = 1000


def read_back(job: Job, claim: Claim) -> Digest:
    """Returns the digest of the slot's rows that carry the claim's batch id; reads token ranges in parallel."""

    def digest(rows: Iterable[Row]) -> pa.RecordBatch:
        return digest_batch(total(of_row(row.customer_id, row.state) for row in rows))

    return collected(_scanned(job, claim, digest, DIGEST), "reading the view back")


def rows_of(job: Job, claim: Claim) -> DataFrame:
    """Returns the slot's rows that carry the claim's batch id, as the columns `ROWS`."""

    def columns(rows: Iterable[Row]) -> pa.RecordBatch:
        held = list(rows)
        values = [[row.customer_id for row in held], [row.state for row in held]]
        return pa.RecordBatch.from_arrays(
            [pa.array(each, pa.string()) for each in values], names=["customer_id", "held"]
        )

    return _scanned(job, claim, columns, ROWS)


def _scanned(job: Job, claim: Claim, result: Result, schema: str) -> DataFrame:
    tasks = job.spark.sparkContext.defaultParallelism
    count = tasks * _RANGES_PER_TASK
    settings = job.settings

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with connected(settings, metadata=False) as session:
            select = session.prepare(
                f"SELECT customer_id, batch_id, state FROM {Tables.batch_view(claim.slot)} "
                "WHERE token(customer_id) > ? AND token(customer_id) <= ?"
            )
            select.fetch_size = _PAGE_ROWS
            for batch in batches:
                for index in batch["id"].to_pylist():
                    scan = partial(_scan, session, select, token_range(index, count), claim.batch_id, result)
                    yield patiently(scan, "reading the view back")

    return job.spark.range(0, count, 1, tasks).mapInArrow(run, schema)


def token_range(index: int, ranges: int) -> tuple[int, int]:
    """Returns the bounds of range `index` of `ranges`: its tokens are above the first, and at most the second.

    Together the ranges hold every token once, since Murmur3 never yields the least one.
    """
    above = _LEAST_TOKEN + index * 2**64 // ranges
    last = _LEAST_TOKEN + (index + 1) * 2**64 // ranges
    return above, min(last, _GREATEST_TOKEN)


def _scan(
    session: Session, select: PreparedStatement, bounds: tuple[int, int], batch_id: int, result: Result
) -> pa.RecordBatch:
    rows: Iterable[Row] = iter(session.execute(select, bounds))
    return result(row for row in rows if row.batch_id == batch_id)
