"""What is usual, from the manifests of earlier published runs. Pure, in exact fractions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from batch_layer.gate.verdicts import Usual, exact, usual
from batch_layer.gate_report import Finding, GateReport
from batch_layer.manifest import Manifest
from common.algebra.runs import LOOKED_AT, duration_seconds

_SHARES: Final = ("nulls", "row", "set")
"""The kinds of the gate's rules that measure a share: of nulls, of repeats and rejections, of rows that fail."""


@dataclass(frozen=True, slots=True)
class Baselines:
    """What a run is compared with. A baseline is absent where fewer than three runs give a figure."""

    duration: Usual | None = None
    """Seconds."""
    shares: Mapping[str, Usual] = field(default_factory=dict)
    """By the name of the gate's rule."""
    published_at: Sequence[int] = ()
    """When the runs before were published, the latest batch's first; microseconds since the epoch (UTC)."""


def baselines(before: Sequence[Manifest]) -> Baselines:
    """Returns the baselines of runs that were published before, which come with the newest batch first."""
    runs = before[: LOOKED_AT - 1]  # the run that is judged is one of them
    durations = [duration for run in runs if (duration := duration_of(run)) is not None]
    known = [shares_of(run.gate) for run in runs if run.gate is not None]
    names = dict.fromkeys(name for shares in known for name in shares)
    medians = {name: usual([shares[name] for shares in known if name in shares]) for name in names}
    return Baselines(
        duration=usual(durations),
        shares={name: middle for name, middle in medians.items() if middle is not None},
        published_at=[run.finished_at for run in runs if run.finished_at is not None],
    )


def duration_of(run: Manifest) -> Fraction | None:
    """Returns the seconds that the run worked; None if its manifest has none."""
    seconds = duration_seconds(run.seconds)
    return None if seconds is None else exact(seconds)


def shares_of(report: GateReport) -> dict[str, Fraction]:
    """Returns what the report's rules measured as shares, by the rule's name."""
    return {found.rule: exact(found.measured) for found in measured_shares(report) if found.measured is not None}


def measured_shares(report: GateReport) -> list[Finding]:
    """Returns the findings of the report that measured a share."""
    return [found for found in report.findings if found.kind in _SHARES and found.measured is not None]
