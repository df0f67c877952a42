"""Loading: states into a claimed slot, stamped with the batch id (R17)."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
from cassandra.cluster import ResponseFuture, Session
from cassandra.query import BatchStatement, BatchType
from pyspark.sql import DataFrame

from batch_layer.job import Job
from batch_layer.session import spark_errors
from batch_layer.view.digest import Digest, of_row, total
from common.algebra.pointer import Claim
from common.servers.cassandra import UNAVAILABLE, connected
from common.servers.patience import patiently
from common.settings import Settings
from common.tables import Tables

Task = Callable[[Iterable[pa.RecordBatch]], Iterable[pa.RecordBatch]]

DIGEST: Final = "rows bigint, checksum string"


def load(job: Job, states: DataFrame, claim: Claim) -> Digest:
    """Every row of `states` (`customer_id`, `state`) is acknowledged in the claimed slot; their digest.

    Rows carry the batch id, as a column and as write timestamp: a later batch's rows win whoever writes last, and
    the same claim's are the same, so a load may be repeated, in part or in whole.
    """
    return collected(loading(job, states, claim), "loading the view")


def loading(job: Job, states: DataFrame, claim: Claim) -> DataFrame:
    """The one query of a load: it writes the rows, and gives each task's digest."""
    tasks = job.spark.sparkContext.defaultParallelism
    rows = states.select("customer_id", "state").coalesce(tasks)  # one connection a task, one task a core
    return rows.mapInArrow(_loader(job.settings, claim), DIGEST)


def collected(digests: DataFrame, doing: str) -> Digest:
    with spark_errors(doing):
        return total(Digest.of(row["checksum"], row["rows"]) for row in digests.collect())


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
        yield record(digest)

    return run


def record(digest: Digest) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"rows": [digest.rows], "checksum": [digest.checksum]})


@dataclass(slots=True)
class _Sent:
    statement: BatchStatement
    future: ResponseFuture


class Writer:
    """Rows into a slot, in unlogged batches of rows with the same replicas, a bounded number of batches in flight."""

    def __init__(self, session: Session, settings: Settings, claim: Claim) -> None:
        self._session, self._settings, self._claim = session, settings, claim
        self._insert = session.prepare(
            f"INSERT INTO {Tables.batch_view(claim.slot)} (customer_id, batch_id, state) VALUES (?, ?, ?) "
            f"USING TIMESTAMP {claim.batch_id}"
        )
        self._pending: defaultdict[tuple[str, ...], list[tuple[str, int, str]]] = defaultdict(list)
        self._flying: deque[_Sent] = deque()

    def write(self, customer_id: str, state: str) -> None:
        """The row is written by the time `close` returns."""
        replicas = self._session.cluster.metadata.get_replicas(self._session.keyspace, customer_id.encode())
        owners = tuple(sorted(replica.address for replica in replicas))
        rows = self._pending[owners]
        rows.append((customer_id, self._claim.batch_id, state))
        if len(rows) >= self._settings.batch.load_rows_per_batch:
            self._send(self._pending.pop(owners))

    def close(self) -> None:
        """Every row is acknowledged. Raises StoreUnavailable if the store stayed away."""
        for rows in self._pending.values():
            self._send(rows)
        self._pending.clear()
        while self._flying:
            self._settle(self._flying.popleft())

    def _send(self, rows: list[tuple[str, int, str]]) -> None:
        if len(self._flying) >= self._settings.batch.load_in_flight:
            self._settle(self._flying.popleft())
        statement = BatchStatement(BatchType.UNLOGGED)
        for row in rows:
            statement.add(self._insert, row)
        self._flying.append(_Sent(statement, self._session.execute_async(statement)))

    def _settle(self, sent: _Sent) -> None:
        try:
            sent.future.result()
        except UNAVAILABLE:
            patiently(lambda: self._session.execute(sent.statement), "loading the view")
