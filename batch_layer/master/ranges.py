"""Which of the master's rows lie below a cut, or between two."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from common.algebra.cut import Cut


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
