"""The answered metrics: one table, and `present`, which runs once, after the merge (R6). Pure: knows no clock."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final

from common.algebra.dates import iso_of
from common.algebra.definitions import DEFINITIONS
from common.algebra.profile import CustomerProfile, age_years, tenure_days
from common.algebra.state import State
from common.algebra.view import View

WINDOW_DAYS: Final = 30
"""The window of risk and engagement, both its ends included."""
RECENT_DAYS: Final = 90
"""The window of recency models, both its ends included."""

MetricValue = str | int | bool | None
"""Money, hours and rates are decimal strings, counts numbers, dates ISO text; what has no value is null."""


def present(state: State, as_of: date, profile: CustomerProfile | None = None) -> dict[str, MetricValue]:
    """Returns every metric of `METRICS` by name, for the days of `state` up to and including `as_of`.

    Rounding is half-even, and happens here only. `profile` is the current one: `as_of` selects days, not profiles.
    """
    view = View(state, as_of, profile)
    return {metric.name: metric.of(view) for metric in METRICS}


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: its name, its unit, its rule in words, and the function that computes it from a view."""

    name: str
    unit: str
    rule: str
    """The formula, from measures and other metrics, and when there is no value."""
    of: Callable[[View], MetricValue]
    ranked: bool = False
    """Whether each batch ranks the customers by it, the greatest value first; it is money or a count then."""

    @property
    def definition(self) -> str:
        """What the figure means, in a sentence for whoever reads it."""
        return DEFINITIONS[self.name]


def _ratio(numerator: int, denominator: int, places: int) -> str:
    """The quotient with so many decimal places."""
    return _text(divided(numerator * 10**places, denominator), places)


def divided(numerator: int, denominator: int) -> int:
    """Returns the quotient rounded half to even. `round(Fraction(numerator, denominator))` takes ten times as long.

    Raises ZeroDivisionError.
    """
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    quotient, rest = divmod(numerator, denominator)
    return quotient + (2 * rest > denominator or (2 * rest == denominator and quotient % 2))


def _money(cents: int) -> str:
    return _text(cents, 2)


def _text(scaled: int, places: int) -> str:
    digits = str(abs(scaled)).rjust(places + 1, "0")
    return f"{'-' if scaled < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def _avg_order_value(view: View) -> str | None:
    orders = view.total("order_count")
    return _money(divided(view.total("revenue"), orders)) if orders else None


def _days_since_last_order(view: View) -> int | None:
    return None if view.last_order is None else view.as_of - view.last_order


def _iso(day: int | None) -> str | None:
    return None if day is None else iso_of(day)


def _estimated_clv(view: View) -> str | None:
    days = view.lifetime_days
    return None if days is None else _money(divided(view.total("revenue") * days * 2, 365))


def _avg_resolution_hours(view: View) -> str | None:
    resolved = view.total("tickets_resolved")
    return _ratio(view.total("resolution_seconds"), resolved * 3600, 2) if resolved else None


def _at_risk(view: View) -> bool:
    return view.window("tickets", WINDOW_DAYS) >= 3 or view.window("high_priority_tickets", WINDOW_DAYS) >= 2


def _risk_reason(view: View) -> str | None:
    tickets = view.window("tickets", WINDOW_DAYS)
    high = view.window("high_priority_tickets", WINDOW_DAYS)
    return f"{tickets} tickets in {WINDOW_DAYS} days, {high} high priority" if _at_risk(view) else None


def _in_window(measure: str) -> Callable[[View], int]:
    return lambda view: view.window(measure, WINDOW_DAYS)


def _recent_revenue(view: View) -> str:
    return _money(view.window("revenue", RECENT_DAYS))


def _click_through_rate(view: View) -> str | None:
    opens = view.window("email_opens", WINDOW_DAYS)
    return _ratio(view.window("email_clicks", WINDOW_DAYS), opens, 4) if opens else None


def _last_engagement_date(view: View) -> str | None:
    return _iso(view.last_day("email_opens", "email_clicks", "campaign_views"))


def _age_years(view: View) -> int | None:
    return age_years(view.profile, view.date)


def _tenure_days(view: View) -> int | None:
    return tenure_days(view.profile, view.date)


METRICS: Final = (
    Metric("total_revenue", "money", "sum of revenue", lambda v: _money(v.total("revenue")), ranked=True),
    Metric("order_count", "count", "sum of orders not cancelled", lambda v: v.total("order_count"), ranked=True),
    Metric("avg_order_value", "money", "revenue / orders; null without orders", _avg_order_value, ranked=True),
    Metric(
        "first_order_date", "date", "the least day with an order; null without orders", lambda v: _iso(v.first_order)
    ),
    Metric(
        "last_order_date", "date", "the greatest day with an order; null without orders", lambda v: _iso(v.last_order)
    ),
    Metric("days_since_last_order", "days", "as_of - last_order_date; null without orders", _days_since_last_order),
    Metric(
        "customer_lifetime_days",
        "days",
        "last_order_date - first_order_date + 1; null without orders",
        lambda v: v.lifetime_days,
    ),
    Metric(
        "estimated_clv",
        "money",
        "revenue x customer_lifetime_days x 2 / 365; null without orders",
        _estimated_clv,
        ranked=True,
    ),
    Metric("total_refunded", "money", "sum of refunds", lambda v: _money(v.total("refunded")), ranked=True),
    Metric(
        "net_revenue",
        "money",
        "revenue - refunds; may be negative",
        lambda v: _money(v.total("revenue") - v.total("refunded")),
        ranked=True,
    ),
    Metric("tickets_30d", "count", f"tickets created in {WINDOW_DAYS} days", _in_window("tickets"), ranked=True),
    Metric(
        "high_priority_tickets_30d",
        "count",
        f"tickets of high or urgent priority created in {WINDOW_DAYS} days",
        _in_window("high_priority_tickets"),
    ),
    Metric(
        "open_tickets",
        "count",
        "tickets - resolved tickets, over all days",
        lambda v: v.total("tickets") - v.total("tickets_resolved"),
        ranked=True,
    ),
    Metric("avg_resolution_hours", "hours", "mean over all resolved tickets; null without any", _avg_resolution_hours),
    Metric("at_risk", "flag", f"3 or more tickets, or 2 or more of high priority, in {WINDOW_DAYS} days", _at_risk),
    Metric("risk_reason", "text", "the counts behind at_risk; null unless at risk", _risk_reason),
    Metric(
        "email_opens_30d",
        "count",
        f"emails opened in {WINDOW_DAYS} days",
        _in_window("email_opens"),
    ),
    Metric(
        "email_clicks_30d",
        "count",
        f"emails clicked in {WINDOW_DAYS} days",
        _in_window("email_clicks"),
    ),
    Metric(
        "campaign_views_30d",
        "count",
        f"campaigns viewed in {WINDOW_DAYS} days",
        _in_window("campaign_views"),
    ),
    Metric(
        "click_through_rate",
        "rate",
        "email_clicks_30d / email_opens_30d; null without opens, may exceed 1",
        _click_through_rate,
    ),
    Metric(
        "last_engagement_date",
        "date",
        "the last day with a marketing event; null without any",
        _last_engagement_date,
    ),
    Metric("revenue_90d", "money", f"revenue in {RECENT_DAYS} days", _recent_revenue, ranked=True),
    Metric(
        "orders_90d",
        "count",
        f"orders in {RECENT_DAYS} days",
        lambda v: v.window("order_count", RECENT_DAYS),
        ranked=True,
    ),
    Metric("age_years", "years", "full years from birth_date to as_of; null without it or before it", _age_years),
    Metric("tenure_days", "days", "days from signed_up_date to as_of; null without it or before it", _tenure_days),
)
METRIC: Final = {metric.name: metric for metric in METRICS}
"""The metrics by name."""
RANKED: Final = tuple(metric for metric in METRICS if metric.ranked)
"""The metrics by which customers are ranked."""
