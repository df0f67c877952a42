"""Rankings: the customers of greatest value of a metric, of all, of one segment or of one country. Pure."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

from common.algebra.metrics import METRIC, MetricValue
from common.algebra.pointer import Pointer, Published

PLACES: Final = {"money": 2, "count": 0}
"""The decimal places of a ranked value, by the metric's unit. A metric of another unit cannot be ranked."""


class Scope(StrEnum):
    """Whose customers a ranking compares."""

    ALL = "all"
    SEGMENT = "segment"
    COUNTRY = "country"


class RankingKey(NamedTuple):
    """One ranking of a batch."""

    metric: str
    scope: Scope = Scope.ALL
    member: str = ""
    """The segment or the country; empty where all customers are compared."""


class Entry(NamedTuple):
    """A customer in a ranking, and its value."""

    customer_id: str
    value: Decimal


class RankedSlot(NamedTuple):
    """Whose rankings a slot holds completely: the batch, the day that is ranked, and the most customers of each."""

    batch_id: int
    as_of: date
    size: int


class Ranked(NamedTuple):
    """A batch in its slot that has all of its rankings there."""

    batch: Published
    slot: RankedSlot


def newest_ranked(pointer: Pointer, slots: Mapping[str, RankedSlot]) -> Ranked | None:
    """Returns the current batch or, while that has no rankings yet, the newest one before it that has; else None."""
    current = pointer.current or 0
    candidates = [
        Ranked(batch, slot)
        for batch in pointer.complete
        if (slot := slots.get(batch.slot)) is not None and slot.batch_id == batch.batch_id <= current
    ]
    return max(candidates, key=lambda each: each.batch.batch_id, default=None)


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Returns the entries of one ranking from its top: by value, the greatest first, and equal ones by customer id."""
    return sorted(entries, key=lambda entry: (-entry.value, entry.customer_id))


def shown(metric: str, value: Decimal) -> MetricValue:
    """Returns a ranked value in the form in which an answer gives the metric: money is text, a count is a number."""
    places = PLACES[METRIC[metric].unit]
    return f"{value:.{places}f}" if places else int(value)
