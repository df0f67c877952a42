"""The features: the Iceberg table `features`, what was known of each customer at a batch's cut. Never written anew.

A partition is a batch. A row's `event_timestamp` is the moment at which it was known: the greatest append time of a
record below the cut. So the newest row at or before a time holds no record that was appended later (docs/adr/0035).
"""

from typing import Final

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from batch_layer.export.columns import AS_OF, DATE, LONG, TEXT, Kind
from batch_layer.export.tables import ExportedTable
from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.master.ranges import is_below
from batch_layer.session import spark_errors
from common.algebra.features import FEATURES, Feature
from common.algebra.pointer import Published

KNOWN_AT: Final = "event_timestamp"
CREATED_AT: Final = "created_timestamp"
"""When the batch was published: of two rows with one `event_timestamp`, the later one counts."""
_TIME: Final = Kind("timestamp", pa.timestamp("us", tz="UTC"))
_KINDS: Final = {
    "integer": LONG,
    "real": Kind("double", pa.float64()),
    "truth": Kind("boolean", pa.bool_()),
    "text": TEXT,
}
_FIRST: Final = {"customer_id": TEXT, KNOWN_AT: _TIME, CREATED_AT: _TIME}
COLUMNS: Final = {
    **_FIRST,
    **{each.name: _KINDS[each.kind] for each in FEATURES},
    AS_OF: DATE,
    "batch_id": LONG,
    "cut": TEXT,
}
SCHEMA: Final = pa.schema([(name, kind.arrow) for name, kind in COLUMNS.items()])
TABLE: Final = ExportedTable(
    "features", {name: kind.sql for name, kind in COLUMNS.items()}, "batch_id", bounded=(KNOWN_AT,)
)


def known_at(job: Job, batch: Published) -> int | None:
    """Returns the greatest append time of a record below the batch's cut, in microseconds (UTC); None without any."""
    rows = master.at_snapshot(job, batch.plan.snapshot).where(is_below(batch.plan.cut))
    with spark_errors("reading when the last record was appended"):
        [found] = rows.agg(F.max("appended_at").alias("last")).collect()
    return None if found["last"] is None else int(found["last"])


def replace(job: Job, rows: DataFrame, batch: Published, at: int, planned_from: int | None) -> None:
    """Makes the batch's partition hold the features of `rows`, which are exported rows of the day of `at`. Idempotent.

    No other batch's rows change. Raises BatchError, and changes nothing, if another commit to the partition came after
    the snapshot `planned_from` (None: any commit at all).
    """
    columns = {
        **{name: F.col(name) for name in COLUMNS},
        **{each.name: _column(each) for each in FEATURES},
        KNOWN_AT: F.timestamp_micros(F.lit(at)),
        CREATED_AT: F.timestamp_micros(F.lit(batch.published_at)),
    }
    made = rows.select(*(column.alias(name) for name, column in columns.items()))
    TABLE.replace(job, made, [batch.batch_id], planned_from)


def _column(feature: Feature) -> Column:
    source = F.col(feature.source)
    if not feature.places:
        return source.cast(_KINDS[feature.kind].sql)
    scaled: Column = source * 10**feature.places
    return scaled.try_cast("bigint")  # beyond 64 bits there is no value: an amount of more than 92 quadrillion
