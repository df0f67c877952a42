"""One round of a rebuild: the master's records in a range of offsets become rows of the new generation (R13)."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

import pyarrow as pa
from cassandra.cluster import Session
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.master.ranges import between, is_below
from batch_layer.rebuild.stored import Stored
from batch_layer.rebuild.writer import Writer
from batch_layer.session import spark_errors
from batch_layer.view.fold import Folded, Happened
from batch_layer.view.images import COLUMNS, image_of
from common.algebra.cut import Cut
from common.algebra.facts import Image
from common.algebra.payloads import ERASURE
from common.errors import RejectedRecord
from common.log.events import parse
from common.log.normalizing import Rules
from common.servers.cassandra import connected
from common.settings import Settings
from common.tables import Tables

SECONDS_PER_DAY: Final = 86_400
_COUNTS: Final = "records bigint, customers bigint, rows bigint"
_READ: Final = ("kafka_partition", "appended_at", "key", "value", *COLUMNS)


@dataclass(frozen=True, slots=True)
class Round:
    """What one round builds: the records in [`since`, `until`), into the tables of `generation`."""

    generation: int
    snapshot: int
    since: Cut
    """Everything below is built already, and acknowledged; the zero cut in the first round."""
    until: Cut
    deltas_from: Cut
    """Deltas below it are left out."""


class Counts(NamedTuple):
    """What a round built: valid records, the customers they are of, and rows written."""

    records: int = 0
    customers: int = 0
    rows: int = 0


class Kept(NamedTuple):
    """A valid record as the master's columns have it, which do not know its origin; only a delta needs that."""

    kind: str
    entity_id: str
    image: Image | None
    origin: None = None


def build(job: Job, part: Round, partitions: int) -> Counts:
    """Writes the rows that workers would have left from the records of the round, and returns how many.

    Idempotent, also in part. All rows are acknowledged at the return. Raises BatchError if one is not.
    """
    rows = of_round(master.at_snapshot(job, part.snapshot), part)
    tasks = job.spark.sparkContext.defaultParallelism
    # A task gets all of a customer's records, in the order in which they lie in the log.
    placed = rows.repartition(tasks, "customer_id").sortWithinPartitions("customer_id", "kafka_offset")
    with spark_errors("building the new generation"):
        counted = placed.mapInArrow(_builder(job.settings, part, partitions), _COUNTS).collect()
    return Counts(*(sum(row[name] for row in counted) for name in Counts._fields))


def of_round(rows: DataFrame, part: Round) -> DataFrame:
    """Returns the valid records of the round, with the columns that a fold needs.

    Key and value are null where the other columns say enough: in records below `deltas_from` that are no erasures.
    """
    needed = ~is_below(part.deltas_from) | (F.col("kind") == ERASURE)
    found = between(rows, part.since, part.until).where(F.col("customer_id").isNotNull())
    for name in ("key", "value"):
        found = found.withColumn(name, F.when(needed, F.col(name)))
    return found.select(*_READ)


def _builder(
    settings: Settings, part: Round, partitions: int
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with connected(settings) as session:
            counts = _Build(session, settings, part, partitions).all(_records(batches))
        yield pa.RecordBatch.from_pydict({name: [count] for name, count in counts._asdict().items()})

    return run


def _records(batches: Iterable[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
    for batch in batches:
        yield from batch.to_pylist()


class _Build:
    """What one task does with its customers."""

    def __init__(self, session: Session, settings: Settings, part: Round, partitions: int) -> None:
        tables = Tables(part.generation)
        ttl_seconds = settings.speed.delta_ttl_days * SECONDS_PER_DAY
        self._part = part
        self._partitions = partitions
        self._rules = Rules(settings.log.currency)
        self._writer = Writer(session, tables, ttl_seconds=ttl_seconds, in_flight=settings.batch.load_in_flight)
        self._stored = Stored(session, tables) if part.since.offsets else None

    def all(self, records: Iterable[dict[str, Any]]) -> Counts:
        """Builds the customers of `records`, which come together and in offset order."""
        total = Counts()
        for customer_id, own in groupby(records, key=itemgetter("customer_id")):
            rows = Folded() if self._stored is None else self._stored.of(customer_id)
            count = 0
            for count, record in enumerate(own, 1):  # noqa: B007 # used after the loop
                rows.deltas_from = self._part.deltas_from[record["kafka_partition"]]
                rows.apply(record["kafka_offset"], record["appended_at"], self._happened(record))
            total = Counts(
                total.records + count, total.customers + 1, total.rows + self._writer.write(customer_id, rows)
            )
        self._writer.close()
        return total

    def _happened(self, record: dict[str, Any]) -> Happened:
        if record["value"] is None:
            return Kept(record["kind"], record["entity_id"], image_of(record))
        try:
            return parse(
                record["key"],
                record["value"],
                partition=record["kafka_partition"],
                partition_count=self._partitions,
                appended_at=record["appended_at"],
                rules=self._rules,
            )
        except RejectedRecord as error:  # the archive judged it by this very function
            raise AssertionError(record["kafka_partition"], record["kafka_offset"]) from error
