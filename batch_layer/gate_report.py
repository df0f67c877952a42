"""What the quality gate finds in a run: verdicts, and a report.

Of a record, it holds nothing but the name of its source, and no customer's id.
"""

from enum import StrEnum
from fractions import Fraction
from typing import Final

import msgspec

from common.algebra.cut import Cut
from common.algebra.dates import MICROS_PER_HOUR


class Severity(StrEnum):
    """How bad it is if a rule is broken: a rule of the gate, or one that monitors runs."""

    WARN = "warn"
    ERROR = "error"
    """The run stops. A rule of the gate may be waived."""


class Verdict(StrEnum):
    PASSED = "passed"
    UNJUDGED = "unjudged"
    """There was not enough to judge by; `text` says what is missing."""
    WARNED = "warned"
    FAILED = "failed"
    """Stops the run."""
    WAIVED = "waived"
    """It would have stopped the run, and an operator let it pass, with a reason."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one rule."""

    rule: str
    kind: str
    severity: Severity
    verdict: Verdict
    measured: float | None = None
    """A share or, for a rule of volume, the ratio to the median; None where nothing was measured."""
    limit: float | None = None
    failing: int | None = None
    """How many rows, fields or changes broke the rule."""
    concerned: int | None = None
    """Of how many."""
    text: str
    """The figures in a sentence."""


class Window(msgspec.Struct, frozen=True):
    """The append time that a run's new records cover: microseconds since the epoch (UTC), half-open."""

    begin: int
    end: int

    @property
    def micros(self) -> int:
        return max(self.end - self.begin, 0)


class Rate(msgspec.Struct, frozen=True):
    """How many records a run found new, in how much append time."""

    records: int
    micros: int

    @property
    def per_hour(self) -> Fraction:
        """Exact, so that a limit's edge is one. The window must not be empty."""
        return Fraction(self.records * MICROS_PER_HOUR, self.micros)


class OriginCount(msgspec.Struct, frozen=True):
    """How many of a run's new records came from an origin, of one kind."""

    origin: str
    """The envelope's `source`, in an import the file's URI; `batch_layer.gate.origins` has names for several."""
    kind: str
    """The kind of the records' entity, or `rejected`."""
    records: int


class GateReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate found in one run. It is kept in the run's manifest."""

    records: int
    """New to this run: at or above the current batch's cut, and below this one's."""
    window: Window
    score: float
    """0 to 100; how much of what the rules ask for holds."""
    findings: tuple[Finding, ...]
    """One for each rule, in the order of the rules' file."""
    changes: tuple[str, ...] = ()
    """How the sources' shapes differ from the declared ones, one sentence each."""
    waived: dict[str, str] = {}
    """The reasons of the waivers that were used, by rule."""
    approved: tuple[str, ...] = ()
    """The names of the approved changes."""
    quarantined: int = 0
    """Rows of the table `quarantine` of this run: a row stands there once for each rule that it breaks."""
    since: Cut | None = None
    """The current batch's cut, from which the new records count; None in reports of releases that did not keep it."""
    origins: tuple[OriginCount, ...] = ()
    """Where the new records came from, by origin and kind."""

    @property
    def broken(self) -> tuple[Finding, ...]:
        """The findings that stop the run."""
        return tuple(finding for finding in self.findings if finding.verdict is Verdict.FAILED)

    @property
    def summary(self) -> str:
        """The report in one line: the score, and the rules that did not pass."""
        named = {verdict: [each.rule for each in self.findings if each.verdict is verdict] for verdict in _TOLD}
        parts = [f"{verdict}: {', '.join(rules)}" for verdict, rules in named.items() if rules]
        kept = [f"{self.quarantined:,} rows in quarantine"] if self.quarantined else []
        return "; ".join([f"score {self.score:g} of {self.records:,} new records", *parts, *kept])


_TOLD: Final = (Verdict.FAILED, Verdict.WAIVED, Verdict.WARNED)
