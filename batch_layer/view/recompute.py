"""The recomputation: from the master below a cut to one state for each customer, without a shuffle (R16). Pure."""

from typing import Final

import msgspec
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from common.algebra.cut import Cut
from common.algebra.measures import MEASURES, contribution_sql
from common.algebra.payloads import ERASURE
from common.algebra.profile import KIND as PROFILE
from common.algebra.profile import CustomerProfile

_ENTITY: Final = ("kind", "entity_id")


def recomputed(master: DataFrame, cut: Cut) -> DataFrame:
    """Returns `customer_id` and `state` (the text of `ViewRow.to_json`), one row for each customer known below `cut`.

    `master` is one snapshot of the master. A customer is known who has a current fact since the last reset, even when
    the state is zero.
    """
    return states(day_sums(current_facts(below(master, cut))))


def below(master: DataFrame, cut: Cut) -> DataFrame:
    """Returns the valid rows below the cut."""
    return master.where(F.col("customer_id").isNotNull() & is_below(cut))


def between(master: DataFrame, since: Cut, cut: Cut) -> DataFrame:
    """Returns the rows in [since, cut), valid or not, by conditions from which Iceberg knows what files to skip."""
    ranges = [
        f"(kafka_partition = {partition} AND kafka_offset >= {since[partition]} AND kafka_offset < {end})"
        for partition, end in cut.offsets.items()
        if since[partition] < end
    ]
    return master.where(" OR ".join(ranges) or "FALSE")


def is_below(cut: Cut) -> Column:
    """Returns the condition that holds for the master's rows below the cut."""
    ends = " ".join(f"WHEN {partition} THEN {offset}L" for partition, offset in cut.offsets.items())
    end = F.expr(f"CASE kafka_partition {ends} ELSE 0L END") if ends else F.lit(0)
    return F.col("kafka_offset") < end


def current_facts(rows: DataFrame) -> DataFrame:
    """Returns each entity's current row: of those above its customer's last reset, the one to count (R4, R24).

    It is the row of greatest (version, retracted, offset).
    """
    # Both windows have the same order, so that one sort serves both.
    latest_first = F.col("version").desc(), F.col("retracted").desc(), F.col("kafka_offset").desc()
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
    """Returns `customer_id`, `day`, `values` and `profile`: the sums of the contributions (R5), and the profile's text.

    A customer with a fact that contributes nothing has a row whose day is null. At most one of a customer's rows has a
    profile, since a profile's entity is the customer.
    """
    entries = facts.select(
        "customer_id", _profile().alias("profile"), F.explode_outer(F.expr(contribution_sql())).alias("entry")
    )
    sums = [F.sum(F.col("entry.values")[index]).alias(measure.name) for index, measure in enumerate(MEASURES)]
    summed = entries.groupBy("customer_id", F.col("entry.day").alias("day")).agg(
        *sums, F.max("profile").alias("profile")
    )
    values = F.array(*(measure.name for measure in MEASURES)).alias("values")
    return summed.select("customer_id", "day", values, "profile")


def states(sums: DataFrame) -> DataFrame:
    """Returns `customer_id` and `state`: days and profile as one text, without the days whose values are all zero."""
    counts = F.col("day").isNotNull() & F.exists("values", lambda value: value != 0)
    days = F.sort_array(F.collect_list(F.when(counts, F.struct("day", "values"))))
    profile = F.coalesce(F.max("profile"), F.lit("null"))
    text = F.concat(F.lit('{"days":'), _days_json(days), F.lit(',"profile":'), profile, F.lit("}"))
    return sums.groupBy("customer_id").agg(text.alias("state"))


def _profile() -> Column:
    """The text of a profile fact's `Image`, its fields in the image's order; null for a fact of another kind (R5a)."""
    fields = [field.name for field in msgspec.structs.fields(CustomerProfile)]
    payload = F.struct(F.col("kind"), *fields)
    retraction = F.struct(F.lit("retracted").alias("kind"), F.col("kind").alias("of"))
    image = F.when(F.col("retracted"), _image_json(retraction)).otherwise(_image_json(payload))
    return F.when(F.col("kind") == PROFILE, image)


def _image_json(payload: Column) -> Column:
    return F.to_json(F.struct(F.col("version"), payload.alias("payload")), {"ignoreNullFields": "false"})


def _days_json(days: Column) -> Column:
    def entry(day: Column) -> Column:
        values = F.array_join(day["values"].cast("array<string>"), ",")
        return F.concat(F.lit('"'), day["day"].cast("string"), F.lit('":['), values, F.lit("]"))

    return F.concat(F.lit("{"), F.array_join(F.transform(days, entry), ","), F.lit("}"))
