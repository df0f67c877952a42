"""Judging: from rules and figures to a verdict on each rule. Pure: reads no table and no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import msgspec

from batch_layer.gate.nulls import nulls
from batch_layer.gate.rules import AnyRule, NullsRule, RowRule, Rules, ShapeRule, VolumeRule
from batch_layer.gate.verdicts import BROKEN, exact, limited, unjudged
from batch_layer.gate.volume import volume
from batch_layer.gate_report import Finding, Rate, Verdict, Window
from common.log.shapes import Change, Observed, Shape, Source


@dataclass(frozen=True, slots=True)
class Counted:
    """Of `concerned` rows, `failing` break a rule."""

    failing: int
    concerned: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was counted in a run's new records."""

    records: int
    window: Window
    rows: Mapping[str, Counted] = field(default_factory=dict)
    """By rule of rows."""
    sets: Mapping[str, float | None] = field(default_factory=dict)
    """By rule of sets; None if its aggregate is null."""
    shapes: Sequence[Observed] = ()
    changes: Sequence[Change] = ()
    """Those that no operator approved."""
    declared: Mapping[Source, Shape] = field(default_factory=dict)
    past: Sequence[Rate] = ()
    """The rates of earlier published runs, the newest first."""


def judged(rules: Rules, figures: Figures, waived: Mapping[str, str]) -> tuple[Finding, ...]:
    """Returns the verdict on each rule, in order. A rule that is named in `waived` does not fail."""
    return tuple(_waived(_judge(rule, figures), waived) for rule in rules.rules)


def _waived(found: Finding, waived: Mapping[str, str]) -> Finding:
    if found.verdict is Verdict.FAILED and found.rule in waived:
        return msgspec.structs.replace(found, verdict=Verdict.WAIVED)
    return found


def _judge(rule: AnyRule, figures: Figures) -> Finding:
    if isinstance(rule, ShapeRule):
        return _shape(rule, figures.changes)
    if isinstance(rule, VolumeRule):
        return volume(rule, Rate(figures.records, figures.window.micros), figures.past)
    if isinstance(rule, NullsRule):
        return nulls(rule, figures.shapes, figures.declared)
    if isinstance(rule, RowRule):
        counted = figures.rows[rule.name]
        share = Fraction(counted.failing, counted.concerned or 1)
        found = limited(rule, share, rule.at_most, f"{counted.failing:,} of {counted.concerned:,} rows")
        return msgspec.structs.replace(found, failing=counted.failing, concerned=counted.concerned)
    value = figures.sets[rule.name]
    if value is None:
        return unjudged(rule, "there is no new record")
    return limited(rule, exact(value), rule.at_most, f"{value:.4g}")


def _shape(rule: ShapeRule, changes: Sequence[Change]) -> Finding:
    found = [change for change in changes if change.what is rule.what]
    return Finding(
        rule=rule.name,
        kind=rule.kind,
        severity=rule.severity,
        verdict=BROKEN[rule.severity] if found else Verdict.PASSED,
        measured=float(len(found)),
        limit=0.0,
        failing=len(found),
        text="; ".join(change.text for change in found) or f"no field is {rule.what}",
    )


def score(findings: Sequence[Finding]) -> float:
    """Returns 0 to 100: the mean over the rules that were judged.

    A rule that passes counts by the share of what holds, one that warns by half of that, and one that fails or was
    waived not at all. Without a judged rule the score is 100.
    """
    parts = [_part(found) for found in findings if found.verdict is not Verdict.UNJUDGED]
    return round(100 * sum(parts) / len(parts), 1) if parts else 100.0


def _part(found: Finding) -> float:
    if found.verdict in (Verdict.FAILED, Verdict.WAIVED):
        return 0.0
    wrong = abs((found.measured or 0.0) - 1) if found.kind == "volume" else found.measured or 0.0
    right = 1 - min(max(wrong, 0.0), 1.0)
    return right if found.verdict is Verdict.PASSED else right / 2
