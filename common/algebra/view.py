"""A view: one customer as of a day, from which every metric is computed (R6). Knows no metric and no clock."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import date

from common.algebra.dates import day_of
from common.algebra.measures import INDEX
from common.algebra.profile import CustomerProfile
from common.algebra.state import State, Vector


class View:
    """A customer as of the day `as_of`: later days are dropped.

    `first_order` and `last_order` are the first and the last day whose order count is above zero, and None without one.
    A day is a number of days since 1970-01-01.
    """

    def __init__(self, state: State, as_of: date, profile: CustomerProfile | None = None) -> None:
        self.date = as_of
        self.as_of = day_of(as_of)
        self.profile = profile
        # The days are sorted once: a window is then the end of the list, and the last order is found from there.
        days = sorted(state.days)
        self._days = days[: bisect_right(days, self.as_of)]
        self._vectors = list(map(state.days.__getitem__, self._days))
        self._computed: dict[int | None, Vector] = {}
        self.first_order = _first(self._days, self._vectors, ("order_count",))
        self.last_order = self.last_day("order_count")

    def total(self, measure: str) -> int:
        """Returns the measure's sum over all days up to `as_of`."""
        return self._sums(None)[INDEX[measure]]

    def window(self, measure: str, days: int) -> int:
        """Returns the measure's sum over the days with `0 <= as_of - day <= days`."""
        return self._sums(days)[INDEX[measure]]

    def last_day(self, *measures: str) -> int | None:
        """Returns the last day on which one of the measures is above zero; None without one."""
        return _first(reversed(self._days), reversed(self._vectors), measures)

    def _sums(self, days: int | None) -> Vector:
        """Every measure's sum over the window of `days`, or over all days where that is None; computed once."""
        found = self._computed.get(days)
        if found is None:
            first = 0 if days is None else bisect_left(self._days, self.as_of - days)
            chosen = self._vectors[first:]
            found = tuple(map(sum, zip(*chosen, strict=True))) if chosen else (0,) * len(INDEX)
            self._computed[days] = found
        return found

    @property
    def lifetime_days(self) -> int | None:
        """Days from the first order to the last, both included; None without orders."""
        if self.first_order is None or self.last_order is None:
            return None
        return self.last_order - self.first_order + 1


def _first(days: Iterable[int], vectors: Iterable[Vector], measures: Iterable[str]) -> int | None:
    """Returns the first of the days, in their order, on which one of the measures is above zero."""
    indexes = [INDEX[measure] for measure in measures]
    for day, values in zip(days, vectors, strict=True):
        for index in indexes:
            if values[index] > 0:
                return day
    return None
