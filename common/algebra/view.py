"""A view: one customer as of a day, from which every metric is computed (R6). Knows no metric and no clock."""

from datetime import date
from typing import Final

from common.algebra.dates import day_of
from common.algebra.measures import INDEX
from common.algebra.profile import CustomerProfile
from common.algebra.state import State, Vector

_ORDERS: Final = INDEX["order_count"]


class View:
    """A customer as of the day `as_of`: later days are dropped.

    `days` holds the measures' values by day, `first_order` and `last_order` are the first and the last day whose order
    count is above zero, and None without one. A day is a number of days since 1970-01-01.
    """

    def __init__(self, state: State, as_of: date, profile: CustomerProfile | None = None) -> None:
        self.as_of = day_of(as_of)
        self.profile = profile
        self.days = state.until(self.as_of).days
        ordered = [day for day, values in self.days.items() if values[_ORDERS] > 0]
        self.first_order = min(ordered, default=None)
        self.last_order = max(ordered, default=None)
        self._computed: dict[int | None, Vector] = {}

    def total(self, measure: str) -> int:
        """Returns the measure's sum over all days up to `as_of`."""
        return self._sums(None)[INDEX[measure]]

    def window(self, measure: str, days: int) -> int:
        """Returns the measure's sum over the days with `0 <= as_of - day <= days`."""
        return self._sums(days)[INDEX[measure]]

    def _sums(self, days: int | None) -> Vector:
        """Every measure's sum over the window of `days`, or over all days where that is None; computed once."""
        found = self._computed.get(days)
        if found is None:
            chosen = list(self.days.values()) if days is None else self._since(self.as_of - days)
            found = tuple(map(sum, zip(*chosen, strict=True))) if chosen else (0,) * len(INDEX)
            self._computed[days] = found
        return found

    def _since(self, first: int) -> list[Vector]:
        return [values for day, values in self.days.items() if day >= first]

    @property
    def lifetime_days(self) -> int | None:
        """Days from the first order to the last, both included; None without orders."""
        if self.first_order is None or self.last_order is None:
            return None
        return self.last_order - self.first_order + 1
