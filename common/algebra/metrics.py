"""The answered metrics: one table, and `present`, which runs once, after the merge (R6)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final

from common.algebra.dates import date_of, day_of
from common.algebra.measures import INDEX
from common.algebra.state import State, Vector

MetricValue = str | int | bool | None
"""Money, hours and rates are decimal strings, counts numbers, dates ISO text; what has no value is null."""


class View:
    """A state as of a day: sums over all its days or over a window that ends on that day, both ends included."""

    def __init__(self, state: State, as_of: date) -> None:
        self.as_of = day_of(as_of)
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


def present(state: State, as_of: date) -> dict[str, MetricValue]:
    """Every metric of `METRICS` for the days of `state` up to and with `as_of`; rounding is half-even, here only."""
    view = View(state, as_of)
    return {metric.name: metric.of(view) for metric in METRICS}


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: its unit, its rule in words, and the function of a view that follows it."""

    name: str
    unit: str
    rule: str
    of: Callable[[View], MetricValue]


def _decimal(value: Fraction | int, places: int) -> str:
    return _text(round(value * 10**places), places)


def _money(cents: Fraction | int) -> str:
    return _text(round(cents), 2)


def _text(scaled: int, places: int) -> str:
    digits = str(abs(scaled)).rjust(places + 1, "0")
    return f"{'-' if scaled < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def _avg_order_value(view: View) -> str | None:
    orders = view.total("order_count")
    return _money(Fraction(view.total("revenue"), orders)) if orders else None


def _days_since_last_order(view: View) -> int | None:
    return view.as_of - max(view.ordered) if view.ordered else None


def _order_date(pick: Callable[[list[int]], int]) -> Callable[[View], str | None]:
    return lambda view: date_of(pick(view.ordered)).isoformat() if view.ordered else None


def _estimated_clv(view: View) -> str | None:
    return _money(Fraction(view.total("revenue") * view.lifetime_days * 2, 365)) if view.ordered else None


def _avg_resolution_hours(view: View) -> str | None:
    resolved = view.total("tickets_resolved")
    return _decimal(Fraction(view.total("resolution_seconds"), resolved * 3600), 2) if resolved else None


def _at_risk(view: View) -> bool:
    return view.window("tickets", 30) >= 3 or view.window("high_priority_tickets", 30) >= 2


def _risk_reason(view: View) -> str | None:
    tickets, high = view.window("tickets", 30), view.window("high_priority_tickets", 30)
    return f"{tickets} tickets in 30 days, {high} high priority" if _at_risk(view) else None


def _click_through_rate(view: View) -> str | None:
    opens = view.window("email_opens", 30)
    return _decimal(Fraction(view.window("email_clicks", 30), opens), 4) if opens else None


def _last_engagement_date(view: View) -> str | None:
    indices = [INDEX[measure] for measure in ("email_opens", "email_clicks", "campaign_views")]
    engaged = [day for day, values in view.days.items() if any(values[index] > 0 for index in indices)]
    return date_of(max(engaged)).isoformat() if engaged else None


METRICS: Final = (
    Metric("total_revenue", "money", "sum of revenue", lambda v: _money(v.total("revenue"))),
    Metric("order_count", "count", "sum of orders not cancelled", lambda v: v.total("order_count")),
    Metric("avg_order_value", "money", "revenue / orders; null without orders", _avg_order_value),
    Metric("first_order_date", "date", "the least day with an order; null without orders", _order_date(min)),
    Metric("last_order_date", "date", "the greatest day with an order; null without orders", _order_date(max)),
    Metric("days_since_last_order", "days", "as_of - last_order_date; null without orders", _days_since_last_order),
    Metric(
        "customer_lifetime_days",
        "days",
        "last_order_date - first_order_date + 1; null without orders",
        lambda v: v.lifetime_days if v.ordered else None,
    ),
    Metric("estimated_clv", "money", "revenue x customer_lifetime_days x 2 / 365; null without orders", _estimated_clv),
    Metric("total_refunded", "money", "sum of refunds", lambda v: _money(v.total("refunded"))),
    Metric(
        "net_revenue",
        "money",
        "revenue - refunds; may be negative",
        lambda v: _money(v.total("revenue") - v.total("refunded")),
    ),
    Metric("tickets_30d", "count", "tickets created in 30 days", lambda v: v.window("tickets", 30)),
    Metric(
        "high_priority_tickets_30d",
        "count",
        "tickets of high or urgent priority created in 30 days",
        lambda v: v.window("high_priority_tickets", 30),
    ),
    Metric(
        "open_tickets",
        "count",
        "tickets - resolved tickets, over all days",
        lambda v: v.total("tickets") - v.total("tickets_resolved"),
    ),
    Metric("avg_resolution_hours", "hours", "over all resolved tickets; null without any", _avg_resolution_hours),
    Metric("at_risk", "flag", "3 or more tickets, or 2 or more of high priority, in 30 days", _at_risk),
    Metric("risk_reason", "text", "the counts behind at_risk; null unless at risk", _risk_reason),
    Metric("email_opens_30d", "count", "emails opened in 30 days", lambda v: v.window("email_opens", 30)),
    Metric("email_clicks_30d", "count", "emails clicked in 30 days", lambda v: v.window("email_clicks", 30)),
    Metric("campaign_views_30d", "count", "campaigns viewed in 30 days", lambda v: v.window("campaign_views", 30)),
    Metric(
        "click_through_rate",
        "rate",
        "email_clicks_30d / email_opens_30d; null without opens, may exceed 1",
        _click_through_rate,
    ),
    Metric("last_engagement_date", "date", "the last day with a marketing event; null without", _last_engagement_date),
    Metric("revenue_90d", "money", "revenue in 90 days", lambda v: _money(v.window("revenue", 90))),
    Metric("orders_90d", "count", "orders in 90 days", lambda v: v.window("order_count", 90)),
)


METRIC: Final = {metric.name: metric for metric in METRICS}


def metric_units() -> Mapping[str, str]:
    """Each metric's unit, in the order of the table."""
    return {metric.name: metric.unit for metric in METRICS}
