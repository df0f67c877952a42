"""The master's raw records in the order of the log, and behind them what a topic still holds: for a restore (R25)."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, Self

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from batch_layer.job import Job
from batch_layer.master import log
from batch_layer.master import table as master
from batch_layer.master.table import Head
from batch_layer.session import spark_errors
from common.algebra.cut import Cut
from common.algebra.losses import Range
from common.log.position import Position
from common.servers.log_identity import LogIdentity

PLACE: Final = ("kafka_partition", "kafka_offset")


class Raw(NamedTuple):
    """A record's bytes, and its position in the log that it was in."""

    at: Position
    key: bytes | None
    value: bytes | None


class Records:
    """Raw records, each at the position that it had in its log."""

    def __init__(self, rows: DataFrame) -> None:
        self._rows = rows

    @classmethod
    def of(cls, job: Job, head: Head, tail: Sequence[Range], topic: LogIdentity | None) -> Self:
        """Returns the records of the snapshot of `head`, and those of `topic` in the ranges of `tail`.

        At most one range may be of a partition, and none may begin below what is archived. Reading them fails if a
        record of a range is gone.
        """
        archived = _raw_columns(master.at_snapshot(job, head.snapshot))
        return cls(archived if topic is None else archived.union(_of_topic(job, topic, tail)))

    @classmethod
    def of_topic(cls, job: Job, topic: LogIdentity, ranges: Sequence[Range]) -> Self:
        """Returns the committed records in the ranges, at most one of a partition."""
        return cls(_of_topic(job, topic, ranges))

    def counted(self) -> dict[int, int]:
        """Returns how many of the records are of each partition."""
        with spark_errors("counting the records"):
            found = self._rows.groupBy("kafka_partition").count().collect()
        return {row["kafka_partition"]: row["count"] for row in found}

    def in_order(self) -> Iterator[Raw]:
        """Yields the records, those of a partition one after another and in the order of their offsets."""
        with spark_errors("reading the records"):
            for row in self._rows.sort(*PLACE).toLocalIterator(prefetchPartitions=True):
                yield _raw(row)

    def nth(self, partition: int, number: int) -> Raw:
        """Returns record `number` of a partition, the first one being 1; there must be as many."""
        own = self._rows.where(F.col("kafka_partition") == partition)
        with spark_errors("reading a record"):
            [row] = own.sort(*PLACE).offset(number - 1).limit(1).collect()
        return _raw(row)


def _of_topic(job: Job, topic: LogIdentity, ranges: Sequence[Range]) -> DataFrame:
    starts = Cut.of({each.partition: each.start for each in ranges})
    ends = Cut.of({each.partition: each.end for each in ranges})
    return _raw_columns(log.records(job, topic, starts, ends))


def _raw_columns(rows: DataFrame) -> DataFrame:
    return rows.select(*PLACE, "key", "value")


def _raw(row: Row) -> Raw:
    key, value = (None if row[name] is None else bytes(row[name]) for name in ("key", "value"))
    return Raw(Position(row[PLACE[0]], row[PLACE[1]]), key, value)
