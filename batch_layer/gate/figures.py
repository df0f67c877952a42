"""Counting: every rule of rows and sets in one pass over a run's new rows."""

from dataclasses import dataclass
from typing import Any, Final

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType

from batch_layer.gate.judge import Counted
from batch_layer.gate.rules import RowRule, Rules, SetRule
from batch_layer.session import spark_errors
from common.errors import UsageError

_RECORDS: Final = "records"


@dataclass(frozen=True, slots=True)
class Counts:
    """What one pass counted."""

    records: int
    first_appended: int | None
    """Microseconds since the epoch; None without records."""
    last_appended: int | None
    rows: dict[str, Counted]
    sets: dict[str, float | None]


def check(frame: DataFrame, rules: Rules, file: str) -> None:
    """Returns if the SQL of each rule fits the columns of `frame`, of which nothing is read.

    Raises UsageError, which names `file` and the rule, otherwise.
    """
    empty = frame.sparkSession.createDataFrame([], frame.schema)  # else each rule's check plans all that made the frame
    if _fit(empty, rules):
        return
    checked: list[RowRule | SetRule] = [*rules.of_rows, *rules.of_sets]
    for rule in checked:  # one by one, so that the message names the rule
        _check(empty, rule, file)


def counted(frame: DataFrame, rules: Rules) -> Counts:
    """Returns the counts of each rule of rows or of sets over `frame`; the rules' SQL must have passed `check`."""
    tasks = frame.sparkSession.sparkContext.defaultParallelism
    with spark_errors("judging the new records"):
        [row] = frame.coalesce(tasks).agg(*_aggregates(rules)).collect()
    return _counts(row, rules)


def _fit(frame: DataFrame, rules: Rules) -> bool:
    """Whether all rules pass `_check`, asked at once."""
    conditions = [f"({condition})" for rule in rules.of_rows for condition in (rule.of, rule.where)]
    values = [f"CAST(({rule.value}) AS double)" for rule in rules.of_sets]
    try:
        kinds = [field.dataType for field in frame.select(*map(F.expr, conditions)).schema]
        frame.agg(F.count(F.lit(1)), *map(F.expr, values)).schema  # noqa: B018 # resolves the columns
    except AnalysisException:
        return False
    return all(isinstance(kind, BooleanType) for kind in kinds)


def _check(frame: DataFrame, rule: RowRule | SetRule, file: str) -> None:
    try:
        if isinstance(rule, SetRule):
            frame.agg(F.expr(f"CAST(({rule.value}) AS double)")).schema  # noqa: B018 # resolves the columns
            return
        for condition in (rule.of, rule.where):
            kind = frame.select(F.expr(f"({condition})")).schema[0].dataType
            if not isinstance(kind, BooleanType):  # Spark would read a text as true or false
                raise UsageError(file, rule.name, f"a condition in SQL; {condition!r} is a {kind.simpleString()}")
    except AnalysisException as error:
        reason = next(line for line in str(error).splitlines() if line).partition(";")[0]
        raise UsageError(file, rule.name, f"SQL over the columns of the new rows: {reason}") from error


def _aggregates(rules: Rules) -> list[Column]:
    found = [
        F.count(F.lit(1)).alias(_RECORDS),
        F.min("appended_at").alias("first_appended"),
        F.max("appended_at").alias("last_appended"),
    ]
    for rule in rules.of_rows:
        found.append(F.expr(f"count_if({rule.fails})").alias(f"{rule.name} failing"))
        found.append(F.expr(f"count_if({rule.concerns})").alias(f"{rule.name} concerned"))
    found.extend(F.expr(f"CAST(({rule.value}) AS double)").alias(f"{rule.name} value") for rule in rules.of_sets)
    return found


def _counts(row: Any, rules: Rules) -> Counts:
    return Counts(
        records=row[_RECORDS],
        first_appended=row["first_appended"],
        last_appended=row["last_appended"],
        rows={rule.name: Counted(row[f"{rule.name} failing"], row[f"{rule.name} concerned"]) for rule in rules.of_rows},
        sets={rule.name: row[f"{rule.name} value"] for rule in rules.of_sets},
    )
