"""Loading: writes states into a claimed slot, with the batch id as write timestamp (R17). Knows no pointer."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import pyarrow as pa
from cassandra.cluster import Session
from pyspark.sql import DataFrame

from batch_layer.job import Job
from batch_layer.session import spark_errors
from batch_layer.view.digest import Digest, of_row, total
from batch_layer.view.in_flight import InFlight
from common.algebra.pointer import Claim
from common.servers.cassandra import connected
from common.settings import Settings
from common.tables import Tables

Task = Callable[[Iterable[pa.RecordBatch]], Iterable[pa.RecordBatch]]

"""What Spark runs in each task, from Arrow batches to Arrow batches."""
DIGEST: Final = "rows bigint, checksum string"
"""The columns of a task's digest."""


def load(job: Job, states: DataFrame, claim: Claim) -> Digest:
    """Writes every row of `states` (`customer_id`, `state`) into the claimed slot, and returns the digest of all rows.

    Idempotent, also in part: the rows of one claim are the same each time. They carry the batch id as a column and as
    write timestamp, so a later batch's rows win, whoever writes last. Raises BatchError if a row is not acknowledged.
    """
    return collected(loading(job, states, claim), "loading the view")


def loading(job: Job, states: DataFrame, claim: Claim) -> DataFrame:
    """Returns the query of a load, which writes the rows when it is run; its result is each task's digest."""
    tasks = job.spark.sparkContext.defaultParallelism
    rows = states.select("customer_id", "state").coalesce(tasks)  # one task for each core, one connection for each task
    return rows.mapInArrow(_loader(job.settings, claim), DIGEST)


def collected(digests: DataFrame, doing: str) -> Digest:
    """Runs a query of digests and returns their sum. Raises BatchError, which begins with `doing`, if it fails."""
    with spark_errors(doing):
        return total(Digest.of(row["checksum"], row["rows"]) for row in digests.collect())


def digested(job: Job, states: DataFrame) -> Digest:
    """Returns the digest of all rows of `states`, and writes nothing."""

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rows = (zip(batch["customer_id"].to_pylist(), batch["state"].to_pylist(), strict=True) for batch in batches)
        yield digest_batch(total(of_row(customer_id, state) for pairs in rows for customer_id, state in pairs))

    tasks = job.spark.sparkContext.defaultParallelism
    rows = states.select("customer_id", "state").coalesce(tasks)
    return collected(rows.mapInArrow(run, DIGEST), "recomputing the view")


def _loader(settings: Settings, claim: Claim) -> Task:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        digest = Digest()
        with connected(settings) as session:
            writer = Writer(session, settings, claim)
            for batch in batches:
                for customer_id, state in zip(
                    batch["customer_id"].to_pylist(), batch["state"].to_pylist(), strict=True
                ):
                    writer.write(customer_id, state)
                    digest += of_row(customer_id, state)
            writer.close()
        yield digest_batch(digest)

    return run


def digest_batch(digest: Digest) -> pa.RecordBatch:
    """Returns a task's digest as a batch of the columns `DIGEST`."""
    return pa.RecordBatch.from_pydict({"rows": [digest.rows], "checksum": [digest.checksum]})


class Writer:
    """Writes rows into the claimed slot, in unlogged batches of rows that have the same replicas.

    At most `batch.load_in_flight` batches await their answers at once.
    """

    def __init__(self, session: Session, settings: Settings, claim: Claim) -> None:
        self._rows_per_batch = settings.batch.load_rows_per_batch
        self._batch_id = claim.batch_id
        self._insert = session.prepare(
            f"INSERT INTO {Tables.batch_view(claim.slot)} (customer_id, batch_id, state) VALUES (?, ?, ?) "
            f"USING TIMESTAMP {claim.batch_id}"
        )
        self._pending: defaultdict[tuple[str, ...], list[tuple[str, int, str]]] = defaultdict(list)
        self._in_flight = InFlight(session, settings.batch.load_in_flight, "loading the view")

    def write(self, customer_id: str, state: str) -> None:
        """Takes a row, which is acknowledged when `close` has returned. Raises StoreUnavailable for an earlier row."""
        owners = self._in_flight.owners(customer_id)
        rows = self._pending[owners]
        rows.append((customer_id, self._batch_id, state))
        if len(rows) >= self._rows_per_batch:
            self._send(self._pending.pop(owners))

    def close(self) -> None:
        """Returns once every row is acknowledged. Raises StoreUnavailable if one is not, after retries."""
        for rows in self._pending.values():
            self._send(rows)
        self._pending.clear()
        self._in_flight.settle()

    def _send(self, rows: list[tuple[str, int, str]]) -> None:
        self._in_flight.send((self._insert, row) for row in rows)
