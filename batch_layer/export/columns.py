"""The columns of an exported row, and the rows of one day in Arrow. Pure: the metrics are `present`'s (R6, R7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple, Self

import pyarrow as pa

from common.algebra.merge import Merged, merge
from common.algebra.metrics import METRICS, MetricValue, present
from common.algebra.pointer import Published
from common.algebra.view_row import ViewRow
from common.log.position import spelled


class Kind(NamedTuple):
    """A column's type, in SQL and in Arrow."""

    sql: str
    arrow: pa.DataType


DECIMAL_2: Final = Kind("decimal(38,2)", pa.decimal128(38, 2))
TEXT: Final = Kind("string", pa.string())
DATE: Final = Kind("date", pa.date32())
LONG: Final = Kind("bigint", pa.int64())
KINDS: Final[Mapping[str, Kind]] = {
    "money": DECIMAL_2,
    "count": LONG,
    "days": Kind("int", pa.int32()),
    "years": Kind("int", pa.int32()),
    "date": DATE,
    "hours": DECIMAL_2,
    "rate": Kind("decimal(38,4)", pa.decimal128(38, 4)),
    "flag": Kind("boolean", pa.bool_()),
    "text": TEXT,
}
"""The types of metrics by unit: decimals hold exactly what an answer holds, with room for every sum."""
AS_OF: Final = "as_of"
_FIRST: Final = {AS_OF: DATE, "customer_id": TEXT}
_LAST: Final = {"country": TEXT, "segment": TEXT, "batch_id": LONG, "cut": TEXT}
COLUMNS: Final[Mapping[str, Kind]] = {**_FIRST, **{each.name: KINDS[each.unit] for each in METRICS}, **_LAST}
"""One row is a customer as of a day. `cut` spells the batch's cut, below which the row holds every record."""
SCHEMA: Final = pa.schema([(name, kind.arrow) for name, kind in COLUMNS.items()])
SQL_SCHEMA: Final = ", ".join(f"`{name}` {kind.sql}" for name, kind in COLUMNS.items())


@dataclass(frozen=True, slots=True)
class Stamp:
    """From which batch a row comes."""

    batch_id: int
    cut: str

    @classmethod
    def of(cls, batch: Published) -> Self:
        return cls(batch.batch_id, spelled(batch.plan.cut.offsets))


def decoded(states: pa.RecordBatch) -> list[Merged]:
    """Returns the customers of a batch of states (`customer_id`, `state`), in their order, as the view has them."""
    return [merge(ViewRow.from_json(text), (), 0) for text in states["state"].to_pylist()]


def rows_of_day(customers: pa.Array, views: Sequence[Merged], as_of: date, stamp: Stamp) -> pa.RecordBatch:
    """Returns the columns `COLUMNS`: one row for each of the customers, whose merged states are `views`."""
    count = len(views)
    answers = [present(view.state, as_of, view.profile) for view in views]
    profiles = [view.profile for view in views]
    columns: dict[str, pa.Array] = {
        AS_OF: pa.repeat(pa.scalar(as_of, pa.date32()), count),
        "customer_id": customers,
        **{each.name: _column([answer[each.name] for answer in answers], KINDS[each.unit]) for each in METRICS},
        "country": pa.array([profile and profile.country for profile in profiles], pa.string()),
        "segment": pa.array([profile and profile.segment for profile in profiles], pa.string()),
        "batch_id": pa.repeat(pa.scalar(stamp.batch_id, pa.int64()), count),
        "cut": pa.repeat(stamp.cut, count),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in COLUMNS], schema=SCHEMA)


def _column(values: Sequence[MetricValue], kind: Kind) -> pa.Array:
    """Returns the values as a column; an answer spells decimals and dates as text, and everything else as it is."""
    is_spelled = pa.types.is_decimal(kind.arrow) or kind == DATE
    return pa.array(values, pa.string() if is_spelled else kind.arrow).cast(kind.arrow)
