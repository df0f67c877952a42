"""What all judges of a run share: verdicts by a limit, limits as they are written, and what is usual. Pure."""

from collections.abc import Sequence
from fractions import Fraction
from statistics import median
from typing import Final, NamedTuple

from batch_layer.gate.rules import LEAST_RUNS, RUNS, Rule
from batch_layer.gate_report import Finding, Severity, Verdict

BROKEN: Final = {Severity.WARN: Verdict.WARNED, Severity.ERROR: Verdict.FAILED}
"""The verdict on a broken rule, by its severity."""


def limited(rule: Rule, measured: Fraction, limit: float, text: str) -> Finding:
    """Returns the verdict on what must be at most `limit`."""
    return Finding(
        rule=rule.name,
        kind=rule.kind,
        severity=rule.severity,
        verdict=BROKEN[rule.severity] if measured > exact(limit) else Verdict.PASSED,
        measured=float(measured),
        limit=limit,
        text=f"{text}; allowed is {percent(limit)}",
    )


def unjudged(rule: Rule, text: str) -> Finding:
    """Returns the finding that there was not enough to judge by; `text` says what is missing."""
    return Finding(rule=rule.name, kind=rule.kind, severity=rule.severity, verdict=Verdict.UNJUDGED, text=text)


class Usual(NamedTuple):
    """A baseline: the median of earlier runs, and of how many."""

    middle: Fraction
    runs: int


def usual(known: Sequence[Fraction], runs: int = RUNS, least_runs: int = LEAST_RUNS) -> Usual | None:
    """Returns the median of the first `runs` values; None if there are fewer than `least_runs`: then nobody judges."""
    taken = known[:runs]
    return Usual(median(taken), len(taken)) if len(taken) >= least_runs else None


def exact(limit: float) -> Fraction:
    """Returns a limit as it is written: 0.8 is four fifths."""
    return Fraction(repr(limit))


def percent(share: float) -> str:
    """Returns a share for people: `12.5 %`."""
    return f"{share:.1%}".replace(".0%", "%").replace("%", " %")
