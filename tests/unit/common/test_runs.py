"""Figures of runs: durations without what comes afterwards, and the SLA, whose edge is in time."""

from fractions import Fraction

import pytest

from batch_layer.manifest import Step
from common.algebra.runs import Sla, duration_seconds, sla_of

HOUR = 3_600_000_000


def test_a_runs_duration_is_that_of_its_steps_until_people_are_told() -> None:
    """A webhook that was away must not make the next night look quick."""
    seconds = {"archive": 2.5, "recompute and load": 10.0, str(Step.NOTIFY): 30.0, str(Step.FINISH): 9.0}

    assert duration_seconds(seconds) == 12.5
    assert duration_seconds({}) is None
    assert duration_seconds({str(Step.NOTIFY): 1.0}) is None


@pytest.mark.parametrize(
    ("hours", "sla"),
    [
        ([], Sla(0, 0)),
        ([5], Sla(0, 0)),
        ([0, 24, 48], Sla(2, 0)),
        ([48, 0, 24], Sla(2, 0)),  # in any order
        ([0, 26], Sla(1, 0)),  # exactly the limit is in time
        ([0, 26 + 1 / HOUR, 52, 100], Sla(3, 2)),
    ],
)
def test_a_publication_later_than_the_limit_behind_the_one_before_is_a_breach(hours: list[float], sla: Sla) -> None:
    assert sla_of([round(hour * HOUR) for hour in hours], 26) == sla


def test_compliance_is_the_share_of_publications_in_time() -> None:
    assert Sla(0, 0).compliance == 1
    assert Sla(40, 3).compliance == Fraction(37, 40)


def test_a_limit_of_parts_of_an_hour_is_exact() -> None:
    assert sla_of([0, HOUR // 10], 0.1) == Sla(1, 0)
    assert sla_of([0, HOUR // 10 + 1], 0.1) == Sla(1, 1)
