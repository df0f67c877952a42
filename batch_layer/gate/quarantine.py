"""The quarantine: an Iceberg table with copies of rows that broke a rule. The rows themselves still count."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from batch_layer import lake
from batch_layer.gate.rules import RowRule
from batch_layer.gate.store import drop_batch, ensure, replace_batch
from batch_layer.job import Job
from batch_layer.session import spark_errors
from common.log.position import Position
from common.settings import Settings

COLUMNS: Final = {
    "batch_id": "bigint",
    "rule": "string",
    "kafka_partition": "int",
    "kafka_offset": "bigint",
    "appended_at": "bigint",
    "customer_id": "string",
    "kind": "string",
    "entity_id": "string",
    "key": "binary",
    "value": "binary",
}
MOST_ROWS: Final = 10_000
"""The rows that are copied for one rule in one run, at most: the first ones by position. All are counted."""
_PLACE: Final = ("kafka_partition", "kafka_offset")


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that rows break, and how many do."""

    rule: RowRule
    rows: int


class Total(msgspec.Struct, frozen=True):
    """How many rows of a batch stand in quarantine for one rule."""

    batch_id: int
    rule: str
    rows: int
    first: Position


class Quarantined(msgspec.Struct, frozen=True):
    """One row in quarantine. A record that validation rejected has no customer, kind and entity."""

    batch_id: int
    rule: str
    position: Position
    appended_at: int
    """Microseconds since the epoch, UTC."""
    customer_id: str | None
    kind: str | None
    entity_id: str | None
    value: bytes | None
    """The record as the log holds it."""


def table(settings: Settings) -> str:
    """Returns the table's name in Spark."""
    return lake.name_of(settings, "quarantine")


def fill(job: Job, batch_id: int, new: DataFrame, frame: DataFrame, broken: Sequence[Broken]) -> None:
    """Replaces the batch's rows by copies of the rows of `new` that break one of the rules, in one commit.

    `frame` has the place of each row of `new` and the columns that the rules name. A row is copied once for each rule
    that it breaks. Idempotent: what an earlier attempt of the batch wrote is gone.
    """
    name = table(job.settings)
    if broken:
        ensure(job, name, COLUMNS)
        replace_batch(name, failing(new, frame, batch_id, broken), batch_id)
    elif lake.holds(job, name, "batch_id", batch_id):
        drop_batch(job, name, batch_id)


def failing(new: DataFrame, frame: DataFrame, batch_id: int, broken: Sequence[Broken]) -> DataFrame:
    """Returns the columns `COLUMNS`: for each of the rules, the first `MOST_ROWS` rows that break it, by position."""
    # The places are few, so they are looked up among the rows; else the records' bytes would go through every join.
    found = new.join(F.broadcast(_places(frame, broken)), on=list(_PLACE), how="inner")
    return found.withColumn("batch_id", F.lit(batch_id).cast("bigint")).select(*COLUMNS)


def _places(frame: DataFrame, broken: Sequence[Broken]) -> DataFrame:
    """The place and the rule of each row to copy."""
    names = [F.when(F.expr(each.rule.fails), F.lit(each.rule.name)) for each in broken]
    places = frame.select(*_PLACE, F.explode(F.array_compact(F.array(*names))).alias("rule"))
    if all(each.rows <= MOST_ROWS for each in broken):
        return places
    by_rule = Window.partitionBy("rule").orderBy(*_PLACE)
    numbered = places.withColumn("number", F.row_number().over(by_rule))
    return numbered.where(F.col("number") <= MOST_ROWS).drop("number")


def totals(spark: SparkSession, settings: Settings, limit: int) -> list[Total]:
    """Returns how many rows each batch has for each rule: of the newest batches, at most `limit` lines."""
    name = table(settings)
    if not lake.exists(spark, name):
        return []
    with spark_errors("reading the quarantine"):
        rows = (
            spark.table(name)
            .groupBy("batch_id", "rule")
            .agg(F.count(F.lit(1)).alias("rows"), F.min(F.struct(*_PLACE)).alias("first"))
            .orderBy(F.col("batch_id").desc(), "rule")
            .limit(limit)
            .collect()
        )
    return [Total(row["batch_id"], row["rule"], row["rows"], Position(*row["first"])) for row in rows]


def rows_of(
    spark: SparkSession, settings: Settings, *, batch_id: int | None, rule: str | None, limit: int
) -> list[Quarantined]:
    """Returns rows in quarantine, at most `limit`: of one batch or all, the newest first, and of one rule or all."""
    name = table(settings)
    if not lake.exists(spark, name):
        return []
    found = spark.table(name)
    if batch_id is not None:
        found = found.where(F.col("batch_id") == batch_id)
    if rule is not None:
        found = found.where(F.col("rule") == rule)
    with spark_errors("reading the quarantine"):
        rows = found.orderBy(F.col("batch_id").desc(), "rule", *_PLACE).limit(limit).collect()
    return [
        Quarantined(
            batch_id=row["batch_id"],
            rule=row["rule"],
            position=Position(row["kafka_partition"], row["kafka_offset"]),
            appended_at=row["appended_at"],
            customer_id=row["customer_id"],
            kind=row["kind"],
            entity_id=row["entity_id"],
            value=None if row["value"] is None else bytes(row["value"]),
        )
        for row in rows
    ]
