"""Lineage of columns: what a metric is said to read is all that it reads, and it does read each of them (R6, R7)."""

from datetime import date, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from batch_layer.lineage.reads import fields_of, measures_of, profile_fields_of
from common.algebra.dates import MICROS_PER_DAY, day_of
from common.algebra.measures import INDEX, MEASURES, Measure, contribution
from common.algebra.metrics import METRICS, present
from common.algebra.payloads import PAYLOADS, payload_columns
from common.algebra.profile import CustomerProfile
from common.algebra.state import State
from tests.support.builders import AS_OF

TODAY = day_of(AS_OF)
counts = st.integers(0, 4) | st.integers(0, 10**9)
vectors = st.tuples(*[counts] * len(MEASURES))
by_day = st.dictionaries(st.sampled_from((0, 1, 29, 30, 31, 90, 91, 365)), st.tuples(vectors, vectors), max_size=4)
dates = st.none() | st.integers(-40_000, TODAY + 400).map(lambda day: day * MICROS_PER_DAY)
texts = st.none() | st.sampled_from(("GB", "FR", "vip"))
profiles = st.builds(CustomerProfile, signed_up_date=dates, birth_date=dates, country=texts, segment=texts)


@given(by_day)
def test_a_metric_does_not_move_with_a_measure_that_it_is_not_said_to_read(
    days: dict[int, tuple[tuple[int, ...], tuple[int, ...]]],
) -> None:
    mine = present(State({TODAY - ago: one for ago, (one, _) in days.items()}), AS_OF)
    for metric in METRICS:
        read = {INDEX[name] for name in measures_of()[metric.name]}
        mixed = {
            TODAY - ago: tuple(one[i] if i in read else other[i] for i in range(len(MEASURES)))
            for ago, (one, other) in days.items()
        }
        assert present(State(mixed), AS_OF)[metric.name] == mine[metric.name], metric.name


@given(profiles, profiles, st.sampled_from((0, 400)))
def test_a_metric_does_not_move_with_a_field_of_the_profile_that_it_is_not_said_to_read(
    one: CustomerProfile, other: CustomerProfile, later: int
) -> None:
    as_of: date = AS_OF + timedelta(days=later)
    for metric in METRICS:
        read = profile_fields_of()[metric.name]
        mixed = CustomerProfile(
            **{name: getattr(one if name in read else other, name) for name in CustomerProfile.__struct_fields__}
        )
        before, after = (present(State({}), as_of, each)[metric.name] for each in (one, mixed))
        assert before == after, metric.name


def test_each_metric_reads_something_and_what_people_would_say() -> None:
    reads = {metric.name: (*measures_of()[metric.name], *profile_fields_of()[metric.name]) for metric in METRICS}

    assert all(reads.values())
    assert reads["avg_order_value"] == ("order_count", "revenue")
    assert reads["estimated_clv"] == ("order_count", "revenue")
    assert reads["net_revenue"] == ("revenue", "refunded")
    assert reads["risk_reason"] == reads["at_risk"] == ("tickets", "high_priority_tickets")
    assert reads["avg_resolution_hours"] == ("tickets_resolved", "resolution_seconds")
    assert reads["last_engagement_date"] == ("email_opens", "email_clicks", "campaign_views")
    assert reads["age_years"] == ("birth_date",)


def test_each_measure_is_read_by_a_metric_or_by_none_that_is_named_here() -> None:
    read = {name for found in measures_of().values() for name in found}

    assert {measure.name for measure in MEASURES} - read == {"refund_count"}


def test_a_contribution_does_not_move_with_a_field_that_its_measure_is_not_said_to_read() -> None:
    """R5, R7: for each field of each kind, of two values; and each field that is said to be read is a column."""
    for measure in MEASURES:
        read = fields_of(measure)
        assert set(read) <= set(payload_columns())
        kind: Any = PAYLOADS[measure.kind]
        words = {} if measure.where is None else {measure.where.field: _counted_word(measure)}
        base = kind(**{name: _value(name, words, moved=False) for name in kind.__struct_fields__})
        moved = kind(**{name: _value(name, words, moved=name not in read) for name in kind.__struct_fields__})
        assert _of(contribution(base), measure.name), "the fact counts"
        assert _of(contribution(base), measure.name) == _of(contribution(moved), measure.name)


def _counted_word(measure: Measure) -> str:
    assert measure.where is not None
    return "other" if measure.where.negated else measure.where.values[0]


def _value(name: str, words: dict[str, str], *, moved: bool) -> int | str:
    if payload_columns()[name] is str:
        return words.get(name, "x") + "y" * moved
    return (19_000 + moved) * MICROS_PER_DAY


def _of(state: State, measure: str) -> dict[int, int]:
    return {day: values[INDEX[measure]] for day, values in state.days.items() if values[INDEX[measure]]}
