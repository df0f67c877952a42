"""A customer as of a day: what the metrics are computed from (R6)."""

from datetime import date

from common.algebra.dates import day_of
from common.algebra.measures import INDEX
from common.algebra.profile import CustomerProfile
from common.algebra.state import State, Vector


class View:
    """A customer as of a day: sums over all days or over a window that ends on that day, both ends included."""

    def __init__(self, state: State, as_of: date, profile: CustomerProfile | None = None) -> None:
        self.as_of = day_of(as_of)
        self.profile = profile
        self.days = state.until(self.as_of).days
        self.ordered = [day for day, values in self.days.items() if values[INDEX["order_count"]] > 0]
        self._computed: dict[int | None, Vector] = {}

    def total(self, measure: str) -> int:
        return self._sums(None)[INDEX[measure]]

    def window(self, measure: str, days: int) -> int:
        return self._sums(days)[INDEX[measure]]

    def _sums(self, days: int | None) -> Vector:
        """Every measure's sum over the window, or over all days where it is null; computed once."""
        found = self._computed.get(days)
        if found is None:
            chosen = [values for day, values in self.days.items() if days is None or self.as_of - day <= days]
            found = tuple(map(sum, zip(*chosen, strict=True))) if chosen else (0,) * len(INDEX)
            self._computed[days] = found
        return found

    @property
    def lifetime_days(self) -> int:
        return max(self.ordered) - min(self.ordered) + 1
