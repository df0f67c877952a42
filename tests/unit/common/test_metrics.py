"""R6: presentation: rounding once, half to even; windows with both ends; null where there is nothing to say."""

from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.algebra.dates import day_of
from common.algebra.measures import INDEX, MEASURES
from common.algebra.metrics import METRICS, divided, present
from common.algebra.state import State
from tests.support.builders import AS_OF

TODAY = day_of(AS_OF)


def state(days: dict[int, dict[str, int]]) -> State:
    """A state from values by measure, by days before `AS_OF`."""
    vectors = {TODAY - ago: [0] * len(MEASURES) for ago in days}
    for ago, values in days.items():
        for measure, value in values.items():
            vectors[TODAY - ago][INDEX[measure]] = value
    return State({day: tuple(values) for day, values in vectors.items()})


def metric(name: str, days: dict[int, dict[str, int]]) -> Any:
    return present(state(days), AS_OF)[name]


def test_a_customer_whose_state_is_zero_gets_zeros_and_nulls() -> None:
    answer = present(State({}), AS_OF)
    assert list(answer) == [each.name for each in METRICS]
    assert {value for value in answer.values() if value is not False} == {0, "0.00", None}


@given(st.integers(), st.integers().filter(bool))
@example(5, 2)
@example(-5, 2)
@example(7, -2)
@example(-10, -4)
def test_quotients_are_rounded_half_to_even_exactly(numerator: int, denominator: int) -> None:
    assert divided(numerator, denominator) == round(Fraction(numerator, denominator))


@pytest.mark.parametrize(
    ("cents", "orders", "text"),
    [(1, 2, "0.00"), (3, 2, "0.02"), (5, 2, "0.02"), (7, 2, "0.04"), (1001, 3, "3.34"), (10**12, 3, "3333333333.33")],
)
def test_money_is_rounded_half_to_even_once(cents: int, orders: int, text: str) -> None:
    assert metric("avg_order_value", {0: {"order_count": orders, "revenue": cents}}) == text


def test_a_derived_value_is_not_made_of_rounded_ones() -> None:
    """Revenue 10.00 in 3 orders over 365 days: 20.00, where 3.33 x 3 would give 19.98."""
    days = {0: {"order_count": 1, "revenue": 400}, 364: {"order_count": 2, "revenue": 600}}
    assert metric("estimated_clv", days) == "20.00"


def test_negative_money_keeps_its_sign_and_small_ones_too() -> None:
    assert metric("net_revenue", {0: {"refunded": 5}}) == "-0.05"
    assert metric("net_revenue", {0: {"revenue": 100, "refunded": 350}}) == "-2.50"


@pytest.mark.parametrize(("seconds", "text"), [(18, "0.00"), (54, "0.02"), (90, "0.02"), (3600, "1.00")])
def test_hours_have_two_decimals_half_to_even(seconds: int, text: str) -> None:
    assert metric("avg_resolution_hours", {0: {"tickets_resolved": 1, "resolution_seconds": seconds}}) == text


@pytest.mark.parametrize(
    ("clicks", "opens", "text"), [(1, 3, "0.3333"), (2, 3, "0.6667"), (5, 2, "2.5000"), (0, 1, "0.0000")]
)
def test_rates_have_four_decimals_and_may_exceed_one(clicks: int, opens: int, text: str) -> None:
    assert metric("click_through_rate", {0: {"email_clicks": clicks, "email_opens": opens}}) == text


@pytest.mark.parametrize(("name", "measure"), [("tickets_30d", "tickets"), ("email_opens_30d", "email_opens")])
def test_the_30_day_window_holds_both_its_ends(name: str, measure: str) -> None:
    assert metric(name, {0: {measure: 1}, 30: {measure: 2}, 31: {measure: 4}, -1: {measure: 8}}) == 3


def test_the_90_day_window_holds_both_its_ends() -> None:
    days = {ago: {"order_count": 1, "revenue": 100} for ago in (-1, 0, 90, 91)}
    assert (metric("orders_90d", days), metric("revenue_90d", days)) == (2, "2.00")


@pytest.mark.parametrize(
    ("tickets", "high", "at_risk"), [(2, 1, False), (3, 0, True), (2, 2, True), (0, 2, True), (0, 0, False)]
)
def test_at_risk_is_three_tickets_or_two_of_high_priority(tickets: int, high: int, at_risk: bool) -> None:
    days = {30: {"tickets": tickets, "high_priority_tickets": high}, 31: {"tickets": 9, "high_priority_tickets": 9}}
    reason = f"{tickets} tickets in 30 days, {high} high priority" if at_risk else None
    assert (metric("at_risk", days), metric("risk_reason", days)) == (at_risk, reason)


def test_days_after_as_of_are_dropped_from_every_metric() -> None:
    future = {-1: {measure.name: 5 for measure in MEASURES}}
    assert present(state(future), AS_OF) == present(State({}), AS_OF)
    assert present(state(future), AS_OF + timedelta(days=1)) != present(State({}), AS_OF)


def test_the_last_engagement_is_of_any_type() -> None:
    days = {9: {"email_opens": 1}, 7: {"email_clicks": 1}, 5: {"campaign_views": 1}, 3: {"tickets": 1}}
    assert metric("last_engagement_date", days) == str(AS_OF - timedelta(days=5))


def test_order_dates_are_of_days_that_have_orders_left() -> None:
    """A day whose only order was cancelled has none, whatever else it has."""
    days = {50: {"refunded": 1}, 40: {"order_count": 1}, 20: {"order_count": 2}, 10: {"order_count": 0, "tickets": 1}}
    first, last = str(AS_OF - timedelta(days=40)), str(AS_OF - timedelta(days=20))
    assert (metric("first_order_date", days), metric("last_order_date", days)) == (first, last)
    assert (metric("customer_lifetime_days", days), metric("days_since_last_order", days)) == (21, 20)
