"""Judging how many records came, by the median of earlier runs. Pure, in exact fractions."""

from collections.abc import Sequence

from batch_layer.gate.rules import VolumeRule
from batch_layer.gate.verdicts import BROKEN, exact, percent, unjudged, usual
from batch_layer.gate_report import Finding, Rate, Verdict
from common.algebra.dates import MICROS_PER_HOUR


def volume(rule: VolumeRule, rate: Rate, past: Sequence[Rate]) -> Finding:
    """Returns the verdict on this run's rate by the median of past ones, the newest first, which are exact fractions.

    A run that covers less append time than the rule's `least_hours` is not judged, and is no measure for others.
    """
    least = rule.least_hours * MICROS_PER_HOUR
    if not rate.micros or rate.micros < least:
        hours = f"{rate.micros / MICROS_PER_HOUR:.2f}"
        return unjudged(rule, f"the new records cover {hours} h of append time, and a rate takes {rule.least_hours:g}")
    known = [run.per_hour for run in past if run.micros and run.micros >= least]
    baseline = usual(known, rule.runs, rule.least_runs)
    if baseline is None:
        return unjudged(rule, f"{len(known)} published runs have a rate, and a verdict takes {rule.least_runs}")
    middle = baseline.middle
    if not middle:
        return unjudged(rule, f"the median of {baseline.runs} runs is no record at all")
    ratio = rate.per_hour / middle
    low = ratio < exact(rule.at_least)
    high = rule.at_most is not None and ratio > exact(rule.at_most)
    allowed = f"at least {percent(rule.at_least)}"
    if rule.at_most is not None:
        allowed += f" and at most {percent(rule.at_most)}"
    return Finding(
        rule=rule.name,
        kind=rule.kind,
        severity=rule.severity,
        verdict=BROKEN[rule.severity] if low or high else Verdict.PASSED,
        measured=float(ratio),
        limit=rule.at_most if high else rule.at_least,
        text=(
            f"{float(rate.per_hour):,.1f} records an hour over {rate.micros / MICROS_PER_HOUR:,.1f} h are "
            f"{percent(float(ratio))} of {float(middle):,.1f}, the median of {baseline.runs} runs; allowed is {allowed}"
        ),
    )
