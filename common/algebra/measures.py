"""The measures: one table, and its two interpreters, plain Python and Spark's SQL (R5, R7).

A measure adds a value to one UTC day of a customer, for each current fact of its kind that it counts.
"""

from dataclasses import dataclass
from typing import Final

from common.algebra.dates import MICROS_PER_DAY
from common.algebra.facts import Delta, Image
from common.algebra.payloads import Payload
from common.algebra.state import State, Vector


@dataclass(frozen=True, slots=True)
class Where:
    """A condition on a payload field: its value is (or, `negated`, is not) one of `values`."""

    field: str
    values: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Measure:
    """What the day of `day` (a date field; null adds nothing) gets: 1, or the field `value`, if `where` holds."""

    name: str
    kind: str
    unit: str
    """`count`, `money` (cents) or `seconds`."""
    day: str
    value: str | None = None
    where: Where | None = None


_CHARGED: Final = Where("status", ("cancelled",), negated=True)

MEASURES: Final = (
    Measure("order_count", "order", "count", "order_date", where=_CHARGED),
    Measure("revenue", "order", "money", "order_date", "amount", _CHARGED),
    Measure("refund_count", "refund", "count", "refunded_at"),
    Measure("refunded", "refund", "money", "refunded_at", "amount"),
    Measure("tickets", "support_ticket", "count", "created_date"),
    Measure(
        "high_priority_tickets", "support_ticket", "count", "created_date", where=Where("priority", ("high", "urgent"))
    ),
    Measure("tickets_resolved", "support_ticket", "count", "resolved_date"),
    Measure("resolution_seconds", "support_ticket", "seconds", "resolved_date", "resolution_seconds"),
    Measure("email_opens", "marketing_event", "count", "event_date", where=Where("event_type", ("email_open",))),
    Measure("email_clicks", "marketing_event", "count", "event_date", where=Where("event_type", ("email_click",))),
    Measure("campaign_views", "marketing_event", "count", "event_date", where=Where("event_type", ("campaign_view",))),
)
INDEX: Final = {measure.name: index for index, measure in enumerate(MEASURES)}


# The first interpreter: plain Python.


def contribution(payload: Payload) -> State:
    """What a current fact with this payload adds to its customer's state; a retracted one and a profile add nothing."""
    days: dict[int, Vector] = {}
    for index, measure in _BY_KIND.get(str(payload.__struct_config__.tag), ()):
        at = getattr(payload, measure.day)
        if at is not None and _holds(measure.where, payload):
            day = at // MICROS_PER_DAY
            values = days.get(day, _ZEROS)
            added = 1 if measure.value is None else getattr(payload, measure.value)
            days[day] = (*values[:index], values[index] + added, *values[index + 1 :])
    return State(days)


def value(delta: Delta) -> State:
    """What a delta adds to its customer's state (R9): `contribution(after) - contribution(before)`."""
    return _of(delta.after) - _of(delta.before)


def _of(image: Image | None) -> State:
    return State({}) if image is None else contribution(image.payload)


def _holds(where: Where | None, payload: Payload) -> bool:
    return where is None or (getattr(payload, where.field) in where.values) is not where.negated


_ZEROS: Final[Vector] = (0,) * len(MEASURES)
_BY_KIND: Final = {
    kind: [(index, measure) for index, measure in enumerate(MEASURES) if measure.kind == kind]
    for kind in dict.fromkeys(measure.kind for measure in MEASURES)
}


# The second interpreter: Spark's SQL, over the columns `kind`, `retracted` and `payload_columns()`.


def contribution_sql() -> str:
    """A Spark SQL expression of type `array<struct<day: int, values: array<bigint>>>`: a row's contribution.

    It is null for a retracted row, and for a kind without measures. `values` has one entry a measure, in table order.
    A null day counts for nothing, a day may stand twice, and a vector may be zero: whoever sums them by day drops the
    null day and the zero sums. Only a row's own kind is evaluated, and no lambda: that takes a third of the time.
    """
    kinds = dict.fromkeys(measure.kind for measure in MEASURES)
    cases = " ".join(f"WHEN kind = '{kind}' THEN array({_entries_sql(kind)})" for kind in kinds)
    return f"CASE WHEN retracted THEN NULL {cases} END"


def _entries_sql(kind: str) -> str:
    days = dict.fromkeys(measure.day for measure in MEASURES if measure.kind == kind)
    return ", ".join(f"named_struct('day', {_day_sql(day)}, 'values', array({_values_sql(kind, day)}))" for day in days)


def _day_sql(day: str) -> str:
    return f"CAST({day} DIV {MICROS_PER_DAY} AS INT)"


def _values_sql(kind: str, day: str) -> str:
    return ", ".join(
        _value_sql(measure) if (measure.kind, measure.day) == (kind, day) else "0L" for measure in MEASURES
    )


def _value_sql(measure: Measure) -> str:
    added = measure.value or "1L"
    if measure.where is None:
        return added
    values = ", ".join(f"'{value}'" for value in measure.where.values)
    return f"IF({measure.where.field} {'NOT ' if measure.where.negated else ''}IN ({values}), {added}, 0L)"
