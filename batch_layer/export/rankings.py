"""Rankings of a batch's day: from exported rows into the tables of the batch's slot (R17, R20). Knows no pointer."""

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Context, Decimal
from itertools import groupby
from typing import Final

import pyarrow as pa
from cassandra.cluster import Session
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from batch_layer.export import top
from batch_layer.job import Job
from batch_layer.session import spark_errors
from batch_layer.view.in_flight import InFlight
from batch_layer.view.load import Task
from common.algebra.metrics import METRIC
from common.algebra.pointer import Published
from common.algebra.rankings import PLACES, Entry, RankingKey, Scope
from common.servers.cassandra import connected
from common.servers.patience import patiently
from common.settings import Settings
from common.tables import Tables

COUNTED: Final = "rankings bigint, rows bigint"
"""The columns of a task's figures."""
_KEY: Final = ("metric", "scope", "member")
_EXACT: Final = Context(prec=38)


def load(job: Job, rows: DataFrame, batch: Published, as_of: date, *, in_one_task: bool) -> int:
    """Writes every ranking of `rows`, which are exported rows of one day, and then that the slot has them all.

    Returns how many rankings there are. Idempotent. Each row has the batch id as a column and as write timestamp; what
    earlier batches left in a ranking is deleted. Raises BatchError if a row is not acknowledged.
    """
    found = ranked(rows, job.settings.batch.ranking_size, in_one_task=in_one_task)
    with spark_errors("loading the rankings"):
        counted = found.mapInArrow(_loader(job.settings, batch), COUNTED).collect()
    complete(job.session, batch, as_of, job.settings.batch.ranking_size)
    return sum(row["rankings"] for row in counted)


def ranked(rows: DataFrame, size: int, *, in_one_task: bool) -> DataFrame:
    """Returns the columns `top.SQL_SCHEMA` of at most `size` customers of each ranking, those of a ranking together.

    Each task keeps the tops of its own rows, so little is shuffled. With `in_one_task` nothing is.
    """
    read = rows.select(*top.READ)
    tops = (read.coalesce(1) if in_one_task else read).mapInArrow(_tops(size), top.SQL_SCHEMA)
    by_value = Window.partitionBy(*_KEY).orderBy(F.col("value").desc(), "customer_id")
    numbered = tops.withColumn("place", F.row_number().over(by_value))
    return numbered.where(F.col("place") <= size).drop("place")


def complete(session: Session, batch: Published, as_of: date, size: int) -> None:
    """Stores that the batch's slot has all of its rankings, unless a later batch has them there already. Idempotent."""
    insert = (
        f"INSERT INTO {Tables.ranked_slots} (slot, batch_id, as_of, size) VALUES (%s, %s, %s, %s) "
        f"USING TIMESTAMP {batch.batch_id}"
    )
    patiently(lambda: session.execute(insert, (batch.slot, batch.batch_id, as_of, size)), "completing the rankings")


def _tops(size: int) -> Task:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for table in top.tops(batches, size):
            yield from table.to_batches()

    return run


def _loader(settings: Settings, batch: Published) -> Task:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rankings = rows = 0
        with connected(settings) as session:
            writer = Writer(session, settings, batch)
            for key, entries in groupby(_entries(batches), key=lambda each: each[0]):
                rankings += 1
                rows += writer.write(key, (entry for _, entry in entries))
            writer.close()
        yield pa.RecordBatch.from_pydict({"rankings": [rankings], "rows": [rows]})

    return run


def _entries(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[RankingKey, Entry]]:
    for batch in batches:
        for row in batch.to_pylist():
            key = RankingKey(row["metric"], Scope(row["scope"]), row["member"])
            yield key, Entry(row["customer_id"], row["value"])


class Writer:
    """Writes rankings into the batch's slot, each in unlogged batches of its one partition."""

    def __init__(self, session: Session, settings: Settings, batch: Published) -> None:
        name = Tables.rankings(batch.slot)
        self._batch_id = batch.batch_id
        self._rows_per_batch = settings.batch.load_rows_per_batch
        self._delete = session.prepare(
            f"DELETE FROM {name} USING TIMESTAMP {batch.batch_id - 1} WHERE metric = ? AND scope = ? AND member = ?"
        )
        self._insert = session.prepare(
            f"INSERT INTO {name} (metric, scope, member, customer_id, batch_id, value) VALUES (?, ?, ?, ?, ?, ?) "
            f"USING TIMESTAMP {batch.batch_id}"
        )
        self._in_flight = InFlight(session, settings.batch.load_in_flight, "loading the rankings")

    def write(self, key: RankingKey, entries: Iterable[Entry]) -> int:
        """Takes one whole ranking, and returns its rows; they are acknowledged when `close` has returned.

        Raises StoreUnavailable for an earlier row.
        """
        named = (key.metric, str(key.scope), key.member)
        unit = Decimal(1).scaleb(-PLACES[METRIC[key.metric].unit])
        pending: list[tuple[object, tuple[object, ...]]] = [(self._delete, named)]
        rows = 0
        for entry in entries:
            pending.append(
                (self._insert, (*named, entry.customer_id, self._batch_id, entry.value.quantize(unit, context=_EXACT)))
            )
            rows += 1
            if len(pending) >= self._rows_per_batch:
                self._in_flight.send(pending)
                pending = []
        if pending:
            self._in_flight.send(pending)
        return rows

    def close(self) -> None:
        """Returns once every row is acknowledged. Raises StoreUnavailable if one is not, after retries."""
        self._in_flight.settle()
