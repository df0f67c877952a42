"""A customer's history: every step of the range has an entry, and no day is counted twice or left out."""

from datetime import date, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.algebra.dates import day_of
from common.algebra.measures import INDEX, MEASURES
from common.algebra.state import State
from serving_layer.answer.readable import money
from serving_layer.answer.steps import MOST_STEPS, series, steps_in
from serving_layer.schemas.history import Grain
from tests.support.serving_fakes import MemoryViewStore, Shared, delta, order, pointing_at, published

FIRST = date(2023, 12, 20)
LONG = f"a range of at most {MOST_STEPS} steps, and these are 8948: choose a later day or a coarser grain"
days = st.integers(0, 90).map(lambda number: FIRST + timedelta(days=number))
vectors = st.tuples(*[st.integers(0, 5)] * len(MEASURES))
states = st.dictionaries(days.map(day_of), vectors, max_size=12).map(State)
grains = st.sampled_from(get_args(Grain))


@given(states, days, days, grains)
def test_the_steps_add_up_to_the_days_of_the_range(state: State, one: date, other: date, grain: Grain) -> None:
    """Both ends are included, and every step has its own entry, zeros too."""
    first, last = min(one, other), max(one, other)

    found = series(state, first, last, grain)

    inside = [values for day, values in state.days.items() if day_of(first) <= day <= day_of(last)]
    assert len(found) == steps_in(first, last, grain)
    assert sum(each.orders for each in found) == sum(values[INDEX["order_count"]] for values in inside)
    assert found[0].start == first
    assert [each.start for each in found] == sorted({each.start for each in found})
    for each in found[1:]:
        assert each.start.weekday() == 0 or grain != "week"
        assert each.start.day == 1 or grain != "month"


@given(states, days, days)
def test_a_day_has_its_own_values_in_their_units(state: State, one: date, other: date) -> None:
    for each in series(state, min(one, other), max(one, other), "day"):
        values = state.days.get(day_of(each.start), (0,) * len(MEASURES))
        assert each.revenue == money(values[INDEX["revenue"]])
        assert (each.refunded, each.refunds) == (money(values[INDEX["refunded"]]), values[INDEX["refund_count"]])
        assert each.tickets == values[INDEX["tickets"]]
        assert each.engagement == sum(values[INDEX[m]] for m in ("email_opens", "email_clicks", "campaign_views"))


def history(query: str, store: MemoryViewStore | None = None) -> dict:  # type: ignore[type-arg] # JSON
    if store is None:
        store = MemoryViewStore(pointing_at(published(cut=5)))
        store.put_order("ada", 1000)  # on 2024-06-26, a Wednesday
        store.put_delta("ada", 6, delta(order(500, day=19_903), entity_id="o2"))  # on 2024-06-29
    found: dict = Shared.over(store).get(f"/v1/customers/ada/history{query}").json()  # type: ignore[type-arg] # JSON
    return found


def test_both_layers_are_in_it() -> None:
    """R21: the merged state, by its days."""
    found = history("?from=2024-06-25&to=2024-06-30")

    assert (found["from"], found["to"], found["grain"]) == ("2024-06-25", "2024-06-30", "day")
    assert [(each["start"], each["revenue"], each["orders"]) for each in found["series"]] == [
        ("2024-06-25", "0.00", 0),
        ("2024-06-26", "10.00", 1),
        ("2024-06-27", "0.00", 0),
        ("2024-06-28", "0.00", 0),
        ("2024-06-29", "5.00", 1),
        ("2024-06-30", "0.00", 0),
    ]
    assert found["provenance"]["speed"]["deltas"] == 1


def test_weeks_begin_on_monday_and_the_first_one_where_the_range_does() -> None:
    found = history("?from=2024-06-20&to=2024-06-30&grain=week")

    assert [(each["start"], each["revenue"]) for each in found["series"]] == [
        ("2024-06-20", "0.00"),
        ("2024-06-24", "15.00"),
    ]


def test_without_a_range_it_is_the_year_up_to_today() -> None:
    found = history("?grain=month")

    assert (found["from"], found["to"], len(found["series"])) == ("2023-07-01", "2024-06-30", 12)


@pytest.mark.parametrize(
    ("query", "field", "rule"),
    [
        ("?from=2024-06-30&to=2024-06-29", "from", "not later than `to`, 2024-06-29"),
        ("?to=2024-07-01", "to", "not later than the server's day (UTC), 2024-06-30"),
        ("?from=2024-13-01", "from", "a day as YYYY-MM-DD"),
        ("?from=2000-01-01&to=2024-06-30", "from", LONG),
        ("?grain=year", "grain", "Input should be 'day', 'week' or 'month'"),
    ],
)
def test_a_range_that_is_none_or_too_long_is_refused(query: str, field: str, rule: str) -> None:
    found = history(query)
    assert (found["status"], found["field"], found["rule"]) == (422, field, rule)


def test_the_longest_range_of_days_is_answered_and_one_day_more_is_not() -> None:
    to = date(2024, 6, 30)
    first = to - timedelta(days=MOST_STEPS - 1)
    assert len(history(f"?from={first}&to={to}")["series"]) == MOST_STEPS
    assert history(f"?from={first - timedelta(days=1)}&to={to}")["status"] == 422
    assert len(history(f"?from=1970-01-01&to={to}&grain=month")["series"]) == 654


def test_a_range_that_ends_before_1970_is_its_last_day_alone() -> None:
    found = history("?to=0001-01-05")
    assert (found["from"], found["to"], len(found["series"])) == ("0001-01-05", "0001-01-05", 1)
