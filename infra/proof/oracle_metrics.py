"""The metrics of the oracle, computed from the current facts' own fields: no states, no measures, no deltas.

The rules are those of `docs/metrics.md`, written a second time.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from infra.proof.oracle_reading import Entry
from infra.proof.oracle_rules import Fields

Answer = dict[str, Any]
_WITHOUT_ORDERS = dict.fromkeys(
    (
        "avg_order_value",
        "first_order_date",
        "last_order_date",
        "days_since_last_order",
        "customer_lifetime_days",
        "estimated_clv",
    )
)


def metrics(current: list[Entry], as_of: date) -> Answer:
    """Returns every metric on `as_of`, in the API's form."""
    return {
        **order_metrics(current, as_of),
        **ticket_metrics(current, as_of),
        **marketing_metrics(current, as_of),
        **profile_metrics(current, as_of),
    }


def until(current: list[Entry], kind: str, field: str, as_of: date, days: int | None = None) -> Iterator[Fields]:
    """Yields the fields of a kind's facts whose day, in `field`, is not after `as_of`, and at most `days` before it."""
    for entry in current:
        at = entry.fields.get(field) if entry.kind == kind else None
        if at is not None and at.day <= as_of and (days is None or (as_of - at.day).days <= days):
            yield entry.fields


def decimal_text(value: Fraction | Decimal | int, places: int) -> str:
    """Returns the decimal string, rounded half to even from the exact value."""
    units = round(Fraction(value) * 10**places)
    return f"{Decimal(units).scaleb(-places):.{places}f}"


def order_metrics(current: list[Entry], as_of: date) -> Answer:
    orders = [each for each in until(current, "order", "order_date", as_of) if each["status"] != "cancelled"]
    recent = [each for each in orders if (as_of - each["order_date"].day).days <= 90]
    revenue = sum((each["total_amount"] for each in orders), Decimal(0))
    refunded = sum((each["amount"] for each in until(current, "refund", "refunded_at", as_of)), Decimal(0))
    answer: Answer = {
        "total_revenue": decimal_text(revenue, 2),
        "order_count": len(orders),
        "total_refunded": decimal_text(refunded, 2),
        "net_revenue": decimal_text(revenue - refunded, 2),
        "revenue_90d": decimal_text(sum((each["total_amount"] for each in recent), Decimal(0)), 2),
        "orders_90d": len(recent),
    }
    if not orders:
        return answer | _WITHOUT_ORDERS
    first = min(each["order_date"].day for each in orders)
    last = max(each["order_date"].day for each in orders)
    lifetime = (last - first).days + 1
    average = Fraction(revenue) / len(orders)
    return answer | {
        "avg_order_value": decimal_text(average, 2),
        "first_order_date": first.isoformat(),
        "last_order_date": last.isoformat(),
        "days_since_last_order": (as_of - last).days,
        "customer_lifetime_days": lifetime,
        "estimated_clv": decimal_text(average * len(orders) * Fraction(lifetime, 365) * 2, 2),
    }


def ticket_metrics(current: list[Entry], as_of: date) -> Answer:
    created = list(until(current, "support_ticket", "created_date", as_of))
    resolved = list(until(current, "support_ticket", "resolved_date", as_of))
    recent = list(until(current, "support_ticket", "created_date", as_of, days=30))
    high = [each for each in recent if each["priority"] in ("high", "urgent")]
    at_risk = len(recent) >= 3 or len(high) >= 2
    seconds = sum(each["resolution_seconds"] for each in resolved)
    return {
        "tickets_30d": len(recent),
        "high_priority_tickets_30d": len(high),
        "open_tickets": len(created) - len(resolved),
        "avg_resolution_hours": decimal_text(Fraction(seconds, 3600 * len(resolved)), 2) if resolved else None,
        "at_risk": at_risk,
        "risk_reason": f"{len(recent)} tickets in 30 days, {len(high)} high priority" if at_risk else None,
    }


def marketing_metrics(current: list[Entry], as_of: date) -> Answer:
    events = list(until(current, "marketing_event", "event_date", as_of))
    recent = [each["event_type"] for each in until(current, "marketing_event", "event_date", as_of, days=30)]
    opens = recent.count("email_open")
    clicks = recent.count("email_click")
    return {
        "email_opens_30d": opens,
        "email_clicks_30d": clicks,
        "campaign_views_30d": recent.count("campaign_view"),
        "click_through_rate": decimal_text(Fraction(clicks, opens), 4) if opens else None,
        "last_engagement_date": max(each["event_date"].day for each in events).isoformat() if events else None,
    }


def profile_of(current: list[Entry]) -> Fields | None:
    """Returns the fields of the customer's profile, None if it is unknown or retracted."""
    found = [entry for entry in current if entry.kind == "customer_profile" and not entry.retracted]
    return found[0].fields if found else None


def profile_metrics(current: list[Entry], as_of: date) -> Answer:
    profile = profile_of(current) or {}
    born = profile.get("birth_date")
    signed_up = profile.get("signed_up_date")
    age = None
    tenure = None
    if born is not None and born <= as_of:
        had_birthday = (as_of.month, as_of.day) >= (born.month, born.day)
        age = as_of.year - born.year - (0 if had_birthday else 1)
    if signed_up is not None and signed_up.day <= as_of:
        tenure = (as_of - signed_up.day).days
    return {"age_years": age, "tenure_days": tenure}


def shown_profile(fields: Fields) -> Answer:
    """Returns a profile's fields in the API's form."""
    born = fields.get("birth_date")
    signed_up = fields.get("signed_up_date")
    return {
        "signed_up_date": None if signed_up is None else signed_up.day.isoformat(),
        "birth_date": None if born is None else born.isoformat(),
        "country": fields.get("country"),
        "segment": fields.get("segment"),
    }
