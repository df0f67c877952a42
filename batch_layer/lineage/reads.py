"""Which fields a measure reads, and which measures and profile fields a metric reads. Pure, and no rule is repeated.

A measure declares its fields. A metric is a function, so what it reads is found by asking it: it reads a measure if
some change of that measure alone changes its value. The laws of the tests search for a read that was not found.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from typing import Final

import msgspec

from common.algebra.dates import MICROS_PER_DAY, day_of
from common.algebra.measures import MEASURES, Measure
from common.algebra.metrics import METRICS, MetricValue, present
from common.algebra.profile import CustomerProfile
from common.algebra.state import State

_AS_OF: Final = date(2024, 6, 30)
_DAY: Final = day_of(_AS_OF)
_DAYS_BEFORE: Final = (0, 20, 60, 400)
"""Days in both windows, in the longer one, and in none."""
_LEVELS: Final = (0, 1, 2, 3, 100_000)
"""The values that a measure has on a day; the great one shows behind the rounding of money, hours and rates."""
_Answers = Mapping[str, MetricValue]


def fields_of(measure: Measure) -> dict[str, str]:
    """Returns the fields of the fact that the measure reads, each with what for: `value`, `day` or `filter`."""
    found = {} if measure.where is None else {measure.where.field: "filter"}
    found[measure.day] = "day"
    if measure.value is not None:
        found[measure.value] = "value"
    return found


@cache
def measures_of() -> Mapping[str, tuple[str, ...]]:
    """Returns the measures that each metric reads, by its name, in the table's order."""
    found: dict[str, set[str]] = {metric.name: set() for metric in METRICS}
    for measure, one, other in _pairs_of_states():
        for metric in _differing(present(one, _AS_OF), present(other, _AS_OF)):
            found[metric].add(measure)
    return {name: tuple(each.name for each in MEASURES if each.name in read) for name, read in found.items()}


@cache
def profile_fields_of() -> Mapping[str, tuple[str, ...]]:
    """Returns the fields of the profile that each metric reads, by its name."""
    found: dict[str, list[str]] = {metric.name: [] for metric in METRICS}
    for field, one, other in _pairs_of_profiles():
        for metric in _differing(present(State({}), _AS_OF, one), present(State({}), _AS_OF, other)):
            found[metric].append(field)
    return {name: tuple(read) for name, read in found.items()}


def _differing(one: _Answers, other: _Answers) -> list[str]:
    return [name for name in one if one[name] != other[name]]


def _pairs_of_states() -> Iterator[tuple[str, State, State]]:
    """Yields states that differ in one measure, with its name: on all days, from each level of all the others."""
    for base in _LEVELS:
        for index, measure in enumerate(MEASURES):
            for level in _LEVELS:
                if level != base:
                    values = [base] * len(MEASURES)
                    values[index] = level
                    yield measure.name, _state([base] * len(MEASURES)), _state(values)


def _state(values: list[int]) -> State:
    return State({_DAY - before: tuple(values) for before in _DAYS_BEFORE} if any(values) else {})


def _pairs_of_profiles() -> Iterator[tuple[str, CustomerProfile, CustomerProfile]]:
    empty = CustomerProfile(signed_up_date=None, birth_date=None, country=None, segment=None)
    for field in msgspec.structs.fields(CustomerProfile):
        is_date = field.name.endswith("_date")
        filled = (_DAY - 10_000) * MICROS_PER_DAY if is_date else "GB"
        yield field.name, empty, msgspec.structs.replace(empty, **{field.name: filled})
