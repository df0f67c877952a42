"""The rows that a run's rules look at: the master's new rows, with columns derived from the rest. Pure: no store."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pyspark import StorageLevel
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from batch_layer.gate.rules import Rules
from batch_layer.master.ranges import below, between
from common.algebra.cut import Cut
from common.algebra.payloads import ERASURE

_KEY: Final = ("customer_id", "kind", "entity_id", "version", "retracted")
_ALWAYS: Final = ("kafka_partition", "kafka_offset", "appended_at")
_JOINED: Final = ("repeated", "order_status")
_ERASURES: Final = ""
"""Stands for a customer's erasures where an order's id is expected; no order has this id."""
_AGE: Final = """
    CASE WHEN birth_date IS NOT NULL THEN CAST(floor(months_between(
        to_date(timestamp_micros(appended_at)), to_date(timestamp_micros(birth_date))) / 12) AS int) END
"""


def framed(master: DataFrame, since: Cut, cut: Cut, rules: Rules) -> DataFrame:
    """Returns the new rows with those of `order_status`, `age_years` and `repeated` that a rule's SQL names."""
    frame = between(master, since, cut)
    if rules.uses("repeated"):
        frame = with_repeated(frame, between(master, Cut.zero(), since))
    if rules.uses("order_status"):
        frame = with_order_status(frame, below(master, cut))
    if rules.uses("age_years"):
        frame = frame.withColumn("age_years", F.expr(_AGE))
    return frame


@contextmanager
def kept(frame: DataFrame, rules: Rules) -> Iterator[DataFrame]:
    """Yields the columns of `frame` that the rules may name, and each row's place and append time.

    What was joined is kept on disk inside, so that it is computed once for all that reads it.
    """
    named = frame.select(*(name for name in frame.columns if name in _ALWAYS or rules.uses(name)))
    if not any(name in named.columns for name in _JOINED):
        yield named
        return
    named.persist(StorageLevel.DISK_ONLY)
    try:
        yield named
    finally:
        named.unpersist()


def with_repeated(new: DataFrame, earlier: DataFrame) -> DataFrame:
    """Adds `repeated`: whether a row before it, in `earlier` or in `new`, has the same entity and version.

    An erasure repeats nothing, since it has no version.
    """
    by_key = Window.partitionBy(*_KEY).orderBy("kafka_offset")
    numbered = new.withColumn("number", F.row_number().over(by_key))
    keys = new.where("version IS NOT NULL").select(*_KEY)
    known = earlier.join(keys, on=list(_KEY), how="left_semi").select(*_KEY).distinct().withColumn("known", F.lit(True))
    joined = numbered.join(known, on=list(_KEY), how="left")
    repeated = F.col("version").isNotNull() & (F.col("known").isNotNull() | (F.col("number") > 1))
    return joined.withColumn("repeated", repeated).drop("known", "number")


def with_order_status(new: DataFrame, below_cut: DataFrame) -> DataFrame:
    """Adds `order_status`: of a refund's order the status of its current fact in `below_cut` (R4, R24).

    It is `retracted` for a retracted order, and null without such an order and for other kinds.
    """
    is_erasure = F.col("kind") == ERASURE
    refunds = new.where("kind = 'refund' AND order_id IS NOT NULL")
    wanted = refunds.select(
        "customer_id", F.explode(F.array("order_id", F.lit(_ERASURES))).alias("order_id")
    ).distinct()
    order_id = F.when(is_erasure, F.lit(_ERASURES)).otherwise(F.col("entity_id")).alias("order_id")
    reset = F.max(F.when(is_erasure, F.col("kafka_offset"))).over(Window.partitionBy("customer_id"))
    orders = (  # orders and erasures in one pass over the master
        below_cut.where((F.col("kind") == "order") | is_erasure)
        .select("customer_id", order_id, "kind", "version", "retracted", "kafka_offset", "status")
        .join(wanted, on=["customer_id", "order_id"], how="left_semi")
        .withColumn("reset", reset)
        .where("kind = 'order' AND (reset IS NULL OR kafka_offset > reset)")
    )
    status = F.when(F.col("retracted"), F.lit("retracted")).otherwise(F.col("status"))
    current = orders.groupBy("customer_id", "order_id").agg(
        F.max_by(status, F.struct("version", "retracted", "kafka_offset")).alias("order_status")
    )
    return new.join(current, on=["customer_id", "order_id"], how="left")
