"""The gate's verdicts, by rule and figures; the edges are exact."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from batch_layer.gate.judge import Counted, Figures, judged, score
from batch_layer.gate.rules import NullsRule, RowRule, Rules, SetRule, ShapeRule, VolumeRule
from batch_layer.gate.volume import volume
from batch_layer.gate_report import Finding, Rate, Severity, Verdict, Window
from common.log.shapes import Change, FieldShape, Observed, Shape, Source, What

HOUR = 3_600_000_000
ERROR, WARN = Severity.ERROR, Severity.WARN
LOW = VolumeRule(name="low", severity=WARN, says="few", at_least=0.8)
FAR = VolumeRule(name="far", severity=ERROR, says="far", at_least=0.7, at_most=1.3)
SHOP = Source("order", "shop")


def rates(*records: int, hours: int = 10) -> list[Rate]:
    return [Rate(count, hours * HOUR) for count in records]


def figures(records: int = 100) -> Figures:
    return Figures(records=records, window=Window(0, 24 * HOUR))


@pytest.mark.parametrize(
    ("records", "low", "far"),
    [
        (1000, Verdict.PASSED, Verdict.PASSED),
        (800, Verdict.PASSED, Verdict.PASSED),
        (799, Verdict.WARNED, Verdict.PASSED),
        (700, Verdict.WARNED, Verdict.PASSED),
        (699, Verdict.WARNED, Verdict.FAILED),
        (0, Verdict.WARNED, Verdict.FAILED),
        (1300, Verdict.PASSED, Verdict.PASSED),
        (1301, Verdict.PASSED, Verdict.FAILED),
    ],
)
def test_under_80_percent_warns_and_beyond_30_percent_stops(records: int, low: Verdict, far: Verdict) -> None:
    """Exactly 80 %, 70 % and 130 % are allowed."""
    past = rates(900, 1000, 1100)

    assert volume(LOW, Rate(records, 10 * HOUR), past).verdict is low
    assert volume(FAR, Rate(records, 10 * HOUR), past).verdict is far


def test_rates_of_windows_of_different_length_are_compared_by_the_hour() -> None:
    past = [Rate(100, HOUR), Rate(2400, 24 * HOUR), Rate(50, HOUR // 2 * 1)]

    found = volume(FAR, Rate(720, 9 * HOUR), [*past, Rate(100, HOUR)])

    assert (found.verdict, found.measured) == (Verdict.PASSED, 0.8)


@pytest.mark.parametrize(("runs", "verdict"), [(0, Verdict.UNJUDGED), (2, Verdict.UNJUDGED), (3, Verdict.FAILED)])
def test_under_three_published_runs_there_is_no_verdict(runs: int, verdict: Verdict) -> None:
    assert volume(FAR, Rate(1, HOUR), rates(*[1000] * runs)).verdict is verdict


def test_the_median_is_that_of_the_last_seven_runs() -> None:
    """Of seven runs, three of any size do not move it; an eighth is not looked at."""
    past = rates(1000, 1000, 1000, 1000, 9, 9, 9, *[5] * 20)

    assert volume(FAR, Rate(1000, 10 * HOUR), past).measured == 1.0


def test_an_even_number_of_runs_has_the_mean_of_the_middle_ones() -> None:
    assert volume(FAR, Rate(1000, 10 * HOUR), rates(900, 1100, 5000, 10)).measured == 1.0


def test_a_run_over_less_than_an_hour_is_not_judged_and_measures_no_other() -> None:
    past = rates(1000, 1000, 1000)
    burst = Rate(5000, HOUR - 1)

    assert volume(FAR, burst, past).verdict is Verdict.UNJUDGED
    assert volume(FAR, Rate(1000, 10 * HOUR), [burst, burst, *past[:2]]).verdict is Verdict.UNJUDGED
    assert volume(FAR, Rate(100, HOUR), past).verdict is Verdict.PASSED


def test_a_median_of_no_record_at_all_gives_no_verdict() -> None:
    assert volume(FAR, Rate(5, HOUR), rates(0, 0, 0)).verdict is Verdict.UNJUDGED


def of_rows(failing: int, concerned: int, at_most: float = 0.1, severity: Severity = ERROR) -> Finding:
    rule = RowRule(name="ages", severity=severity, says="old", where="x", at_most=at_most)
    counted = replace(figures(), rows={"ages": Counted(failing, concerned)})
    return judged(Rules((rule,)), counted, {})[0]


def test_a_share_at_its_limit_passes_and_above_it_does_not() -> None:
    assert of_rows(10, 100).verdict is Verdict.PASSED
    assert of_rows(11, 100).verdict is Verdict.FAILED
    assert of_rows(11, 100, severity=WARN).verdict is Verdict.WARNED
    assert of_rows(0, 0, at_most=0.0).verdict is Verdict.PASSED
    assert of_rows(1, 10**9, at_most=0.0).verdict is Verdict.FAILED
    assert of_rows(11, 100).text == "11 of 100 rows; allowed is 10 %"


def of_set(value: float | None) -> Finding:
    rule = SetRule(name="repeats", severity=WARN, says="again", value="x", at_most=0.2)
    return judged(Rules((rule,)), replace(figures(), sets={"repeats": value}), {})[0]


def test_a_set_is_judged_by_its_value_and_not_without_one() -> None:
    verdicts = [of_set(value).verdict for value in (0.2, 0.21, None)]

    assert verdicts == [Verdict.PASSED, Verdict.WARNED, Verdict.UNJUDGED]


def seen(records: int, source: Source = SHOP, **nulls: int) -> Observed:
    """An observation of fields by how many records have null there."""
    fields = {
        name: FieldShape(records, records, {"string": records - count, "null": count}) for name, count in nulls.items()
    }
    return Observed(source, Shape(records, fields), "0:1")


def of_nulls(shapes: Sequence[Observed]) -> Finding:
    rule = NullsRule(name="amounts", severity=ERROR, says="none", of="order", field="amount", at_most=0.01)
    return judged(Rules((rule,)), replace(figures(), shapes=shapes), {})[0]


def test_nulls_of_a_field_are_counted_over_all_sources_of_its_kind() -> None:
    crm = Source("order", "crm")

    assert of_nulls([seen(100, amount=1)]).verdict is Verdict.PASSED
    assert of_nulls([seen(100, amount=2), seen(100, crm, amount=0)]).verdict is Verdict.PASSED
    assert of_nulls([seen(100, amount=3), seen(100, crm, amount=0)]).verdict is Verdict.FAILED
    assert of_nulls([seen(100, amount=0), seen(10, crm)]).failing == 10  # absent is null, too
    assert of_nulls([seen(100, Source("refund", "shop"), amount=100)]).verdict is Verdict.UNJUDGED


def of_rise(now: Observed, before: Observed) -> Finding:
    rule = NullsRule(name="rise", severity=WARN, says="more", rise=0.3)
    shapes = replace(figures(), shapes=[now], declared={SHOP: before.shape})
    return judged(Rules((rule,)), shapes, {})[0]


def test_a_share_of_nulls_is_compared_with_the_declared_one() -> None:
    before = seen(100, a=10, b=50)

    assert of_rise(seen(100, a=40, b=50), before).verdict is Verdict.PASSED
    found = of_rise(seen(100, a=41, b=0), before)
    assert (found.verdict, found.failing, found.concerned) == (Verdict.WARNED, 1, 2)
    assert "order.a from shop" in found.text
    assert of_rise(seen(99, a=99), before).verdict is Verdict.UNJUDGED


def test_a_change_of_shape_breaks_the_rule_of_its_sort_only() -> None:
    rules = Rules(tuple(ShapeRule(name=f"field_{what}", severity=ERROR, says="so", what=what) for what in What))
    change = Change(What.REMOVED, SHOP, "gift", ("string",), (), 7, "0:3")

    found = judged(rules, replace(figures(), changes=[change]), {})

    assert [each.verdict for each in found] == [Verdict.PASSED, Verdict.FAILED, Verdict.PASSED]
    assert found[1].text == "order.gift from shop (string) is gone: none of 7 records has it, first 0:3"


def test_a_waiver_lets_its_own_rule_pass_if_that_fails_and_no_other() -> None:
    rules = Rules(
        tuple(RowRule(name=name, severity=ERROR, says="so", where="x") for name in ("broken", "kept", "fine"))
    )
    counted = {"broken": Counted(1, 2), "kept": Counted(1, 2), "fine": Counted(0, 2)}

    found = judged(rules, replace(figures(), rows=counted), {"broken": "known", "fine": "known"})

    assert [each.verdict for each in found] == [Verdict.WAIVED, Verdict.FAILED, Verdict.PASSED]


def test_the_score_counts_what_holds() -> None:
    passed, warned, failed = of_rows(5, 100), of_rows(20, 100, severity=WARN), of_rows(20, 100)

    assert score([of_rows(0, 100)]) == 100.0
    assert score([passed]) == 95.0
    assert score([warned]) == 40.0
    assert score([failed]) == 0.0
    assert score([of_rows(0, 100), failed, of_set(None)]) == 50.0
    assert score([of_set(None)]) == 100.0
