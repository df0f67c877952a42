"""The rules that monitor runs: what a published run is judged by, and what each says. Pure, in exact fractions.

A rule that is broken stops nothing: the batch is current already. The limits' edges are allowed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from batch_layer.gate.verdicts import exact, percent
from batch_layer.gate_report import Finding, GateReport, Verdict
from batch_layer.monitor.baselines import Baselines, measured_shares
from common.algebra.dates import MICROS_PER_HOUR
from common.algebra.runs import is_late, sla_of

DURATION_AT_MOST: Final = 1.5
"""Times the median duration."""
SCORE_AT_LEAST: Final = 0.95
"""Of the gate's score, as a share of 100."""
OFF_AT_MOST: Final = 0.10
"""How far a share may be off its median, as a share of that."""
LEAST_ROWS: Final = 10
"""A share that differs by fewer rows is chance."""
_NAMED: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The run that is judged."""

    batch_id: int
    duration: Fraction | None
    """Seconds; None if nothing is known of its steps."""
    published_at: int
    """Microseconds since the epoch, UTC."""
    gate: GateReport | None
    """What the quality gate found, which has judged the run's volume already."""
    sla_hours: float


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule that a run broke; `message` has the figures in a sentence, and names no customer."""

    rule: str
    title: str
    message: str


Rule = Callable[[Judged, Baselines], str | None]
"""Returns the message if the run breaks the rule, and None if it does not or cannot be judged."""


def breaches(run: Judged, usual: Baselines) -> list[Breach]:
    """Returns the rules that the run breaks, in the order of `RULES`."""
    judged = ((name, title, rule(run, usual)) for name, (title, rule) in RULES.items())
    return [Breach(name, title, message) for name, title, message in judged if message is not None]


def _duration(run: Judged, usual: Baselines) -> str | None:
    baseline = usual.duration
    if run.duration is None or baseline is None or run.duration <= exact(DURATION_AT_MOST) * baseline.middle:
        return None
    ratio = f"{percent(float(run.duration / baseline.middle))} of " if baseline.middle else "more than "
    return (
        f"the run took {float(run.duration):,.1f} s, {ratio}{float(baseline.middle):,.1f} s, the median of "
        f"{baseline.runs} runs; allowed is at most {percent(DURATION_AT_MOST)}"
    )


def _volume(run: Judged, _: Baselines) -> str | None:
    if run.gate is None:
        return None
    found = [each for each in run.gate.findings if each.kind == "volume" and each.verdict in _BROKEN]
    return "; ".join(dict.fromkeys(each.text for each in found)) or None


def _quality_score(run: Judged, _: Baselines) -> str | None:
    if run.gate is None or exact(run.gate.score) >= exact(SCORE_AT_LEAST) * 100:
        return None
    return f"the quality score is {run.gate.score:g} of 100; allowed is at least {100 * SCORE_AT_LEAST:g}"


def _quality_metrics(run: Judged, usual: Baselines) -> str | None:
    off = list(_off(run.gate, usual)) if run.gate is not None else []
    if not off:
        return None
    more = f" and {len(off) - _NAMED} more" if len(off) > _NAMED else ""
    return (
        f"{len(off)} of {len(usual.shares)} quality metrics are more than {percent(OFF_AT_MOST)} off their median: "
        f"{', '.join(off[:_NAMED])}{more}"
    )


def _off(report: GateReport, usual: Baselines) -> Iterator[str]:
    """Yields each share that is off its median, with both. A handful of rows is chance, whatever the share."""
    for found in measured_shares(report):
        baseline = usual.shares.get(found.rule)
        if baseline is None or found.measured is None:
            continue
        off = abs(exact(found.measured) - baseline.middle)
        if off > exact(OFF_AT_MOST) * baseline.middle and off * _rows(found, report) >= LEAST_ROWS:
            yield f"{found.rule} is {_share(found.measured)}, usual are {_share(float(baseline.middle))}"


def _rows(found: Finding, report: GateReport) -> int:
    """Of how many rows the finding is a share."""
    return report.records if found.concerned is None else found.concerned


def _share(share: float) -> str:
    return f"{100 * share:.3g} %"


def _sla(run: Judged, usual: Baselines) -> str | None:
    before = max((at for at in usual.published_at if at <= run.published_at), default=None)
    if before is None or not is_late(run.published_at - before, run.sla_hours):
        return None
    sla = sla_of([*usual.published_at, run.published_at], run.sla_hours)
    return (
        f"batch {run.batch_id} was published {(run.published_at - before) / MICROS_PER_HOUR:,.1f} h after the one "
        f"before; the SLA is {run.sla_hours:g} h. {sla.breaches} of {sla.publications} publications came too late: "
        f"compliance is {percent(float(sla.compliance))}"
    )


_BROKEN: Final = (Verdict.WARNED, Verdict.WAIVED)
"""The gate's verdicts on a broken rule in a run that was published."""
RULES: Final[Mapping[str, tuple[str, Rule]]] = {
    "duration": ("the run took long", _duration),
    "volume": ("an unusual number of records came", _volume),
    "quality_score": ("the data's quality is low", _quality_score),
    "quality_metrics": ("the data's quality changed", _quality_metrics),
    "sla": ("the batch is late", _sla),
}
"""Each rule by its name, with the title of what it reports."""
