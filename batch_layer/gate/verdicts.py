"""What the judges of all kinds of rules share: verdicts by a limit, and limits as they are written. Pure."""

from fractions import Fraction
from typing import Final

from batch_layer.gate.rules import Rule
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


def exact(limit: float) -> Fraction:
    """Returns a limit as it is written: 0.8 is four fifths."""
    return Fraction(repr(limit))


def percent(share: float) -> str:
    """Returns a share for people: `12.5 %`."""
    return f"{share:.1%}".replace(".0%", "%").replace("%", " %")
