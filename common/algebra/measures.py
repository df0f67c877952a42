"""The measures: one table, and the first of its two interpreters, plain Python (R5, R7).

The second one is `batch_layer.view.columns`, which the batch layer uses: whole columns at once.

For each current fact that it counts, a measure adds a value to one UTC day of the fact's customer.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import add
from typing import Final

from common.algebra.dates import MICROS_PER_DAY
from common.algebra.facts import Delta
from common.algebra.payloads import Payload
from common.algebra.state import State


@dataclass(frozen=True, slots=True)
class Where:
    """A condition on a payload field: its value is one of `values` or, where `negated`, none of them."""

    field: str
    values: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Measure:
    """What each current fact of `kind` for which `where` holds adds: 1, or its field `value`.

    It is added to the UTC day of the fact's date field `day`; a null date adds nothing.
    """

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
    Measure("revenue", "order", "money", "order_date", value="amount", where=_CHARGED),
    Measure("refund_count", "refund", "count", "refunded_at"),
    Measure("refunded", "refund", "money", "refunded_at", value="amount"),
    Measure("tickets", "support_ticket", "count", "created_date"),
    Measure(
        "high_priority_tickets", "support_ticket", "count", "created_date", where=Where("priority", ("high", "urgent"))
    ),
    Measure("tickets_resolved", "support_ticket", "count", "resolved_date"),
    Measure("resolution_seconds", "support_ticket", "seconds", "resolved_date", value="resolution_seconds"),
    Measure("email_opens", "marketing_event", "count", "event_date", where=Where("event_type", ("email_open",))),
    Measure("email_clicks", "marketing_event", "count", "event_date", where=Where("event_type", ("email_click",))),
    Measure("campaign_views", "marketing_event", "count", "event_date", where=Where("event_type", ("campaign_view",))),
)
Days = dict[int, list[int]]
"""A state while it is added up: values by UTC day."""
INDEX: Final = {measure.name: index for index, measure in enumerate(MEASURES)}


def contribution(payload: Payload) -> State:
    """Returns what a current fact with this payload adds to its customer's state.

    A retracted fact adds nothing, and neither does a profile.
    """
    days: Days = {}
    _count(payload, 1, days)
    return State({day: tuple(values) for day, values in days.items()})


def value(delta: Delta) -> State:
    """Returns what a delta adds to its customer's state (R9): `contribution(after) - contribution(before)`."""
    return sum_of(State({}), (delta,))


def sum_of(start: State, deltas: Iterable[Delta]) -> State:
    """Returns the sum of a state and the values of deltas, without a state for each of them."""
    changes: Days = {}
    for delta in deltas:
        for image, sign in ((delta.after, 1), (delta.before, -1)):
            if image is not None:
                _count(image.payload, sign, changes)
    days = dict(start.days)  # most days of a long state stay as they are: their vectors are not copied
    for day, values in changes.items():  # only these can become zero
        changed = tuple(map(add, days.get(day, _ZEROS), values))
        if any(changed):
            days[day] = changed
        else:
            days.pop(day, None)
    return State.of_nonzero(days)


def _count(payload: Payload, sign: int, days: Days) -> None:
    """Adds a payload's contribution to `days`, or subtracts it where `sign` is -1."""
    for index, measure in _BY_KIND.get(str(payload.__struct_config__.tag), ()):
        at = getattr(payload, measure.day)
        if at is not None and _holds(measure.where, payload):
            day = at // MICROS_PER_DAY
            if day not in days:
                days[day] = list(_ZEROS)
            days[day][index] += sign if measure.value is None else sign * getattr(payload, measure.value)


def _holds(where: Where | None, payload: Payload) -> bool:
    return where is None or (getattr(payload, where.field) in where.values) is not where.negated


_ZEROS: Final = (0,) * len(MEASURES)
_BY_KIND: Final = {
    kind: [(index, measure) for index, measure in enumerate(MEASURES) if measure.kind == kind]
    for kind in dict.fromkeys(measure.kind for measure in MEASURES)
}
