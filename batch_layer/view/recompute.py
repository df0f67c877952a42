"""The recomputation: the master below a cut to one state a customer, bucket by bucket, without a shuffle (R16)."""

from typing import Final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from common.algebra.cut import Cut
from common.algebra.facts import ERASURE
from common.algebra.measures import MEASURES, contribution_sql

_ENTITY: Final = ("kind", "entity_id")


def recomputed(master: DataFrame, cut: Cut) -> DataFrame:
    """Columns `customer_id` and `state` (the text of `State.to_json`): a row for every known customer below `cut`.

    `master` is one snapshot of it. A customer is known by a current fact since the last reset; the state may be zero.
    """
    return states(day_sums(current_facts(below(master, cut))))


def below(master: DataFrame, cut: Cut) -> DataFrame:
    """The valid rows below the cut."""
    ends = " ".join(f"WHEN {partition} THEN {offset}L" for partition, offset in cut.offsets.items())
    end = F.expr(f"CASE kafka_partition {ends} ELSE 0L END") if ends else F.lit(0)
    return master.where(F.col("customer_id").isNotNull() & (F.col("kafka_offset") < end))


def current_facts(rows: DataFrame) -> DataFrame:
    """Of each entity's rows above its customer's last reset, the one with the greatest (version, offset) (R4, R24).

    Both windows are ordered alike, so that one sort serves both.
    """
    latest_first = F.col("version").desc(), F.col("kafka_offset").desc()
    of_customer = Window.partitionBy("customer_id").orderBy(*_ENTITY, *latest_first)
    whole = of_customer.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    of_entity = Window.partitionBy("customer_id", *_ENTITY).orderBy(*latest_first)
    reset = F.max(F.when(F.col("kind") == ERASURE, F.col("kafka_offset"))).over(whole)
    return (
        rows.withColumn("reset", reset)
        .where(F.col("reset").isNull() | (F.col("kafka_offset") > F.col("reset")))
        .withColumn("rank", F.row_number().over(of_entity))
        .where(F.col("rank") == 1)
    )


def day_sums(facts: DataFrame) -> DataFrame:
    """Columns `customer_id`, `day` and `values`: the sum of the contributions (R5).

    A fact that contributes nothing leaves its customer a row without a day.
    """
    entries = facts.select("customer_id", F.explode_outer(F.expr(contribution_sql())).alias("entry"))
    sums = [F.sum(F.col("entry.values")[index]).alias(measure.name) for index, measure in enumerate(MEASURES)]
    summed = entries.groupBy("customer_id", F.col("entry.day").alias("day")).agg(*sums)
    return summed.select("customer_id", "day", F.array(*(measure.name for measure in MEASURES)).alias("values"))


def states(sums: DataFrame) -> DataFrame:
    """The sums of a customer's days as one text; days whose values are all zero are left out."""
    counts = F.col("day").isNotNull() & F.exists("values", lambda value: value != 0)
    days = F.sort_array(F.collect_list(F.when(counts, F.struct("day", "values"))))
    return sums.groupBy("customer_id").agg(_json(days).alias("state"))


def _json(days: Column) -> Column:
    def entry(day: Column) -> Column:
        values = F.array_join(day["values"].cast("array<string>"), ",")
        return F.concat(F.lit('"'), day["day"].cast("string"), F.lit('":['), values, F.lit("]"))

    return F.concat(F.lit("{"), F.array_join(F.transform(days, entry), ","), F.lit("}"))
