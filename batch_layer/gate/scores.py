"""The table `quality`: the figures of each run, one row for each rule, so that a trend can be drawn.

It holds no customer's id and no value of a record.
"""

from collections.abc import Collection
from typing import Final

import msgspec
import pyarrow as pa
from pyspark.sql import functions as F

from batch_layer import lake
from batch_layer.gate.rules import RESERVED
from batch_layer.gate.store import ensure, replace_batch
from batch_layer.gate_report import GateReport, Rate, Window
from batch_layer.job import Job
from batch_layer.session import spark_errors
from common.settings import Settings

COLUMNS: Final = {
    "batch_id": "bigint",
    "rule": "string",
    "kind": "string",
    "severity": "string",
    "verdict": "string",
    "measured": "double",
    "allowed": "double",
    "failing": "bigint",
    "concerned": "bigint",
    "appended_from": "bigint",
    "appended_to": "bigint",
    "judged_at": "bigint",
}
"""Times are microseconds since the epoch, UTC. The rules `records` and `score` are figures of the whole run."""
_ARROW: Final = {"bigint": pa.int64(), "string": pa.string(), "double": pa.float64()}
_RECORDS, _SCORE = RESERVED


class Past(msgspec.Struct, frozen=True):
    """How many records an earlier run found new, and the append time that they cover."""

    records: int
    window: Window

    @property
    def rate(self) -> Rate:
        return Rate(self.records, self.window.micros)


def table(settings: Settings) -> str:
    """Returns the table's name in Spark."""
    return lake.name_of(settings, "quality")


def keep(job: Job, batch_id: int, report: GateReport) -> None:
    """Replaces the batch's rows by those of `report`, in one commit. Idempotent."""
    name = table(job.settings)
    ensure(job, name, COLUMNS)
    schema = pa.schema([(column, _ARROW[kind]) for column, kind in COLUMNS.items()])
    columns = zip(*_rows(batch_id, report, job.clock()), strict=True)
    figures = pa.Table.from_arrays(
        [pa.array(values, of.type) for values, of in zip(columns, schema, strict=True)], schema=schema
    )
    with spark_errors("writing the figures"):
        rows = job.spark.createDataFrame(figures)  # from rows of Python, Spark would make it in a Python worker
    replace_batch(name, rows, batch_id)


def _rows(batch_id: int, report: GateReport, now: int) -> list[tuple[object, ...]]:
    window = (report.window.begin, report.window.end, now)
    of_run = ("figure", None, None)
    return [
        (batch_id, _RECORDS, *of_run, float(report.records), None, None, report.records, *window),
        (batch_id, _SCORE, *of_run, report.score, None, None, None, *window),
        *(
            (
                batch_id,
                found.rule,
                found.kind,
                str(found.severity),
                str(found.verdict),
                found.measured,
                found.limit,
                found.failing,
                found.concerned,
                *window,
            )
            for found in report.findings
        ),
    ]


def past(job: Job, batches: Collection[int]) -> dict[int, Past]:
    """Returns what each of the batches found new. Some may have no figures."""
    name = table(job.settings)
    ensure(job, name, COLUMNS)
    if not batches:
        return {}
    with spark_errors("reading the figures of earlier runs"):
        rows = job.spark.table(name).where(F.col("batch_id").isin(*batches) & (F.col("rule") == _RECORDS)).collect()
    return {row["batch_id"]: Past(row["concerned"], Window(row["appended_from"], row["appended_to"])) for row in rows}
