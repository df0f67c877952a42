"""The rules that monitor runs, each at its edge; the edges are allowed and exact."""

import itertools
from collections.abc import Sequence
from fractions import Fraction

import msgspec
import pytest

from batch_layer.gate.judge import Figures, judged
from batch_layer.gate.rules import Rules, VolumeRule
from batch_layer.gate.verdicts import Usual
from batch_layer.gate_report import Finding, GateReport, Rate, Severity, Verdict, Window
from batch_layer.manifest import Manifest, Status, Step, published_before
from batch_layer.monitor.baselines import Baselines, baselines, duration_of
from batch_layer.monitor.rules import Judged, breaches
from common.algebra.cut import Cut
from common.algebra.pointer import Plan

HOUR = 3_600_000_000
PLAN = Plan(1, Cut.zero(), "logic", "validation")
NONE = Baselines()


def run(
    batch_id: int = 12, seconds: float = 100.0, hours: float = 0.0, gate: GateReport | None = None, **more: object
) -> Manifest:
    """A published run, `hours` after the beginning of time."""
    made = Manifest(
        batch_id=batch_id,
        plan=PLAN,
        status=Status.PUBLISHED,
        step=Step.FINISH,
        started_at=0,
        finished_at=round(hours * HOUR),
        seconds={"recompute and load": seconds},
        gate=gate,
    )
    return msgspec.structs.replace(made, **more)


def report(score: float = 100.0, findings: Sequence[Finding] = (), records: int = 1000) -> GateReport:
    return GateReport(records=records, window=Window(0, HOUR), score=score, findings=tuple(findings))


def share(rule: str, measured: float | None, kind: str = "row", concerned: int | None = 1000) -> Finding:
    return Finding(
        rule=rule,
        kind=kind,
        severity=Severity.WARN,
        verdict=Verdict.PASSED,
        measured=measured,
        concerned=concerned,
        text="",
    )


def judging(of: Manifest, sla_hours: float = 26) -> Judged:
    assert of.finished_at is not None
    return Judged(
        batch_id=of.batch_id,
        duration=duration_of(of),
        published_at=of.finished_at,
        gate=of.gate,
        sla_hours=sla_hours,
    )


def messages(of: Manifest, before: Sequence[Manifest], sla_hours: float = 26) -> dict[str, str]:
    """What the run breaks, by rule. `before` comes with the newest first."""
    return {each.rule: each.message for each in breaches(judging(of, sla_hours), baselines(before))}


def past(*seconds: float) -> list[Manifest]:
    """Runs of so many seconds, the newest first."""
    return [run(batch_id=11 - number, seconds=each) for number, each in enumerate(seconds)]


@pytest.mark.parametrize(("seconds", "is_broken"), [(150.0, False), (150.1, True), (20.0, False)])
def test_a_run_of_more_than_one_and_a_half_times_the_median_is_long(seconds: float, *, is_broken: bool) -> None:
    found = messages(run(seconds=seconds), past(90, 100, 110))

    assert found == (
        {
            "duration": "the run took 150.1 s, 150.1 % of 100.0 s, the median of 3 runs; allowed is at most 150 %",
        }
        if is_broken
        else {}
    )


def test_under_three_published_runs_no_baseline_is_known() -> None:
    assert messages(run(seconds=9999), past(90, 100)) == {}
    assert set(messages(run(seconds=9999), past(90, 100, 110))) == {"duration"}


def test_the_median_is_that_of_the_last_seven_runs_that_have_a_figure() -> None:
    nothing = run(seconds=0, gate=None)
    unknown = msgspec.structs.replace(nothing, seconds={})

    found = baselines([unknown, *past(10, 10, 10, 10, 900, 900, 900, *[5] * 20)])

    assert found.duration == Usual(Fraction(10), 7)


def test_what_people_waited_for_afterwards_is_no_part_of_a_duration() -> None:
    seconds = {"archive": 1.0, "recompute and load": 99.0, "notify": 500.0, "finish": 500.0}

    assert duration_of(msgspec.structs.replace(run(), seconds=seconds)) == 100


def test_only_published_runs_before_this_one_are_compared_with() -> None:
    stopped = msgspec.structs.replace(run(batch_id=9), status=Status.STOPPED)
    runs = [run(batch_id=13), run(batch_id=12), run(batch_id=11), stopped, run(batch_id=8)]

    assert [each.batch_id for each in published_before(runs, 12)] == [11, 8]


LOW = VolumeRule(name="volume_low", severity=Severity.WARN, says="few", at_least=0.8)
FAR = VolumeRule(name="volume", severity=Severity.ERROR, says="far", at_least=0.7, at_most=1.3)


def volumes(records: int) -> list[Finding]:
    """What the gate itself finds, with its own waiver."""
    figures = Figures(records=records, window=Window(0, 10 * HOUR), past=[Rate(1000, 10 * HOUR)] * 3)
    return list(judged(Rules((LOW, FAR)), figures, {"volume": "holiday"}))


@pytest.mark.parametrize(("records", "is_broken"), [(800, False), (799, True), (1300, False)])
def test_a_volume_under_80_percent_is_what_the_gate_found(records: int, *, is_broken: bool) -> None:
    found = messages(run(gate=report(findings=volumes(records))), [])

    assert found == (
        {
            "volume": "79.9 records an hour over 10.0 h are 79.9 % of 100.0, the median of 3 runs; allowed is at least "
            "80 %"
        }
        if is_broken
        else {}
    )


def test_a_volume_that_an_operator_waived_is_told_with_both_limits() -> None:
    told = messages(run(gate=report(findings=volumes(600))), [])["volume"]

    assert told.count("60 % of 100.0") == 2
    assert told.endswith("allowed is at least 70 % and at most 130 %")


@pytest.mark.parametrize(("score", "is_broken"), [(95.0, False), (94.9, True), (100.0, False)])
def test_a_quality_score_under_95_of_100_is_low(score: float, *, is_broken: bool) -> None:
    found = messages(run(gate=report(score=score)), [])

    told = {"quality_score": "the quality score is 94.9 of 100; allowed is at least 95"}
    assert found == (told if is_broken else {})


def usually(
    *shares: float, rule: str = "nulls_status", kind: str = "nulls", concerned: int | None = 1000
) -> list[Manifest]:
    """Runs in which the rule measured these shares."""
    return [run(gate=report(findings=[share(rule, each, kind, concerned)])) for each in shares]


@pytest.mark.parametrize(
    ("measured", "is_broken"),
    [(0.20, False), (0.22, False), (0.221, True), (0.18, False), (0.179, True), (0.0, True)],
)
def test_a_share_more_than_10_percent_off_its_median_is_told_with_both(measured: float, *, is_broken: bool) -> None:
    """In either direction: a share that fell may be a rule that no longer sees its rows."""
    off = [share("nulls_status", measured, "nulls")]

    found = messages(run(gate=report(findings=off)), usually(0.1, 0.2, 0.3))

    told = (
        "1 of 1 quality metrics are more than 10 % off their median: "
        f"nulls_status is {100 * measured:.3g} %, usual are 20 %"
    )
    assert found == ({"quality_metrics": told} if is_broken else {})


@pytest.mark.parametrize(("rows", "is_broken"), [(9, False), (10, True)])
def test_a_handful_of_rows_is_chance_even_where_there_never_was_one(rows: int, *, is_broken: bool) -> None:
    found = messages(
        run(gate=report(findings=[share("amount_huge", rows / 1000)])), usually(0.0, 0.0, 0.0, rule="amount_huge")
    )

    assert set(found) == ({"quality_metrics"} if is_broken else set())


def test_repeats_are_a_share_of_all_new_records() -> None:
    """A rule of sets names no rows of its own."""
    before = usually(0.05, 0.05, 0.05, rule="repeats", kind="set", concerned=None)

    few = run(gate=report(findings=[share("repeats", 0.06, "set", None)], records=999))
    many = run(gate=report(findings=[share("repeats", 0.06, "set", None)], records=1000))

    assert messages(few, before) == {}
    assert "repeats is 6 %, usual are 5 %" in messages(many, before)["quality_metrics"]


def test_many_shares_that_are_off_are_one_message_of_ten() -> None:
    names = [f"rule_{number}" for number in range(13)]
    before = [run(gate=report(findings=[share(name, 0.1) for name in names])) for _ in range(3)]

    found = messages(run(gate=report(findings=[share(name, 0.5) for name in names])), before)["quality_metrics"]

    assert found.startswith("13 of 13 quality metrics are")
    assert found.count("usual are") == 10
    assert found.endswith(" and 3 more")


def test_what_was_not_judged_and_other_kinds_of_rules_have_no_share() -> None:
    findings = [share("rise", None, "nulls"), share("volume", 0.5, "volume"), share("field_new", 3.0, "shape")]

    assert baselines([run(gate=report(findings=findings))] * 3).shares == {}


@pytest.mark.parametrize(("gap", "is_broken"), [(26.0, False), (26.1, True)])
def test_a_publication_later_than_the_sla_is_told_with_the_counts(gap: float, *, is_broken: bool) -> None:
    hours = [*itertools.accumulate([24, 24, 30, 24])]
    before = [run(batch_id=11 - n, hours=hour) for n, hour in enumerate(reversed(hours))]

    found = messages(run(hours=hours[-1] + gap), before)

    told = (
        "batch 12 was published 26.1 h after the one before; the SLA is 26 h. 2 of 4 publications came too late: "
        "compliance is 50 %"
    )
    assert found == ({"sla": told} if is_broken else {})


def test_the_first_publication_cannot_be_late() -> None:
    assert messages(run(hours=1000), []) == {}


def test_a_run_of_an_older_release_without_figures_is_not_judged() -> None:
    old = msgspec.structs.replace(run(), seconds={}, gate=None)

    assert breaches(judging(old), NONE) == []


def test_breaches_come_in_the_rules_order_with_their_titles() -> None:
    gate = report(score=10, findings=[*volumes(10), share("repeats", 0.9)])
    before = [run(hours=-100 * number, gate=report(findings=[share("repeats", 0.1)])) for number in range(1, 4)]

    found = breaches(judging(run(seconds=900, hours=0, gate=gate)), baselines(before))

    assert [(each.rule, each.title) for each in found] == [
        ("duration", "the run took long"),
        ("volume", "an unusual number of records came"),
        ("quality_score", "the data's quality is low"),
        ("quality_metrics", "the data's quality changed"),
        ("sla", "the batch is late"),
    ]
