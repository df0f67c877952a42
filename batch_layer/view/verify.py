"""Verifying: reads a loaded slot back and compares it with the recomputation (R17, R18). Writes nothing."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Final

import pyarrow as pa
from cassandra.cluster import Session
from cassandra.query import PreparedStatement

from batch_layer.job import Job
from batch_layer.view.digest import Digest, of_row, total
from batch_layer.view.load import DIGEST, Task, collected, digest_batch
from batch_layer.view.publish import check_held
from common.algebra.pointer import Claim
from common.errors import BatchError
from common.servers.cassandra import connected
from common.servers.patience import patiently
from common.settings import Settings
from common.tables import Tables

_RANGES_PER_TASK: Final = 4
_LEAST_TOKEN: Final = -(2**63)
_GREATEST_TOKEN: Final = 2**63 - 1
_PAGE_ROWS: Final = 1000


def verify(job: Job, claim: Claim, loaded: Digest) -> None:
    """Raises BatchError unless the claimed slot holds exactly the rows of `loaded`, or ClaimLost if the claim is lost.

    The slot may be published only if this raises nothing.
    """
    found = read_back(job, claim)
    if found != loaded:
        check_held(job.session, claim)  # if another run has claimed the slot since, it may write there
        raise BatchError(
            f"slot {claim.slot!r} does not hold batch {claim.batch_id}: {loaded.rows} rows ({loaded.checksum}) were "
            f"loaded and {found.rows} ({found.checksum}) read back; the current view is unchanged. Run it again"
        )


def read_back(job: Job, claim: Claim) -> Digest:
    """Returns the digest of the slot's rows that carry the claim's batch id; reads token ranges in parallel."""
    tasks = job.spark.sparkContext.defaultParallelism
    ranges = job.spark.range(0, tasks * _RANGES_PER_TASK, 1, tasks)
    scans = ranges.mapInArrow(_scanner(job.settings, claim, tasks * _RANGES_PER_TASK), DIGEST)
    return collected(scans, "reading the view back")


def _scanner(settings: Settings, claim: Claim, ranges: int) -> Task:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with connected(settings) as session:
            select = session.prepare(
                f"SELECT customer_id, batch_id, state FROM {Tables.batch_view(claim.slot)} "
                "WHERE token(customer_id) > ? AND token(customer_id) <= ?"
            )
            select.fetch_size = _PAGE_ROWS
            for batch in batches:
                for index in batch["id"].to_pylist():
                    scan = partial(_scan, session, select, token_range(index, ranges), claim.batch_id)
                    yield digest_batch(patiently(scan, "reading the view back"))

    return run


def token_range(index: int, ranges: int) -> tuple[int, int]:
    """Returns the bounds of range `index` of `ranges`: its tokens are above the first, and at most the second.

    Together the ranges hold every token once, since Murmur3 never yields the least one.
    """
    above = _LEAST_TOKEN + index * 2**64 // ranges
    last = _LEAST_TOKEN + (index + 1) * 2**64 // ranges
    return above, min(last, _GREATEST_TOKEN)


def _scan(session: Session, select: PreparedStatement, bounds: tuple[int, int], batch_id: int) -> Digest:
    rows: Iterator[Any] = iter(session.execute(select, bounds))
    return total(of_row(row.customer_id, row.state) for row in rows if row.batch_id == batch_id)
