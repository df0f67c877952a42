"""The gate, step by step: observes, counts, judges, keeps what it found, and lets the run pass or stops it."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace
from pyspark.sql import DataFrame

from batch_layer.decisions import Decisions
from batch_layer.gate import quarantine, scores
from batch_layer.gate.decided import journalled
from batch_layer.gate.examples import examples
from batch_layer.gate.figures import Counts, check, counted
from batch_layer.gate.frame import framed, kept
from batch_layer.gate.history import History, history_of, window_of
from batch_layer.gate.judge import Figures, judged, score
from batch_layer.gate.notify import notify
from batch_layer.gate.quarantine import Broken
from batch_layer.gate.rules import AnyRule, Rules, ShapeRule
from batch_layer.gate.rules_file import check_decisions, file_of, load
from batch_layer.gate.shapes import observed
from batch_layer.gate_report import Finding, GateReport, OriginCount, Verdict
from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.master.ranges import between
from common.algebra.cut import Cut
from common.algebra.pointer import Plan
from common.errors import GateClosed
from common.log.shapes import Change, Observed, Shape, Source, accepted, changes, declared_after
from common.servers import declared_shapes


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was read of a run's new records, and what it is compared with."""

    counts: Counts
    shapes: Sequence[Observed]
    declared: Mapping[Source, Shape]
    changes: Sequence[Change]
    origins: tuple[OriginCount, ...]


def gate(job: Job, plan: Plan, since: Cut, batch_id: int, decisions: Decisions) -> GateReport:
    """Judges the records in [since, the plan's cut), and returns what it found.

    Failing rows are copied to `quarantine` and the figures to `quality`, also of a run that is stopped. A run that
    passes declares the shapes that it saw; waivers and approvals that it needed are in the journal. Idempotent by
    batch id. Raises GateClosed, which names each rule that stops the run and the option that lets it pass, and
    UsageError for rules or decisions that cannot be used.
    """
    rules = load(job.settings)
    check_decisions(rules, decisions.waived, decisions.approved)
    rows = master.at_snapshot(job, plan.snapshot)
    new = between(rows, since, plan.cut)
    frame = framed(rows, since, plan.cut, rules)
    check(frame, rules, file_of(job.settings))
    with kept(frame, rules) as once:
        counts = counted(once, rules)
        quarantine.fill(job, batch_id, new, once, _broken(rules, counts))
    seen = _seen(job, batch_id, new, counts)
    figures = _figures(job, plan, history_of(job, since, batch_id), seen, decisions)
    findings = judged(rules, figures, decisions.waived)
    report = replace(_report(seen, figures, findings, decisions), since=since, origins=seen.origins)
    scores.keep(job, batch_id, report)
    notify(job, batch_id, seen.changes)
    if report.broken:
        raise GateClosed(_closed(batch_id, report, figures.changes, rules), examples(new, figures.changes))
    journalled(job, batch_id, report)
    _declare(job, batch_id, seen, decisions)
    return report


def _seen(job: Job, batch_id: int, new: DataFrame, counts: Counts) -> Seen:
    observation = observed(new)
    shapes = observation.shapes
    declared = declared_shapes.declared(job.session, before=batch_id)
    known = [each for each in shapes if each.source in declared]
    found = [change for each in known for change in changes(declared[each.source], each)]
    return Seen(counts=counts, shapes=shapes, declared=declared, changes=found, origins=observation.origins)


def _figures(job: Job, plan: Plan, past: History, seen: Seen, decisions: Decisions) -> Figures:
    return Figures(
        records=seen.counts.records,
        window=window_of(job, plan, seen.counts, past),
        rows=seen.counts.rows,
        sets=seen.counts.sets,
        shapes=seen.shapes,
        changes=[change for change in seen.changes if change.name not in decisions.approved],
        declared=seen.declared,
        past=past.rates,
    )


def _report(seen: Seen, figures: Figures, findings: Sequence[Finding], decisions: Decisions) -> GateReport:
    return GateReport(
        records=figures.records,
        window=figures.window,
        score=score(findings),
        findings=tuple(findings),
        changes=tuple(change.text for change in seen.changes),
        waived=_used_waivers(findings, decisions.waived),
        approved=tuple(change.name for change in seen.changes if change.name in decisions.approved),
        quarantined=sum(min(count.failing, quarantine.MOST_ROWS) for count in seen.counts.rows.values()),
    )


def _broken(rules: Rules, counts: Counts) -> list[Broken]:
    found = [Broken(rule, counts.rows[rule.name].failing) for rule in rules.of_rows]
    return [each for each in found if each.rows]


def _used_waivers(findings: Sequence[Finding], waived: Mapping[str, str]) -> dict[str, str]:
    return {found.rule: waived[found.rule] for found in findings if found.verdict is Verdict.WAIVED}


def _declare(job: Job, batch_id: int, seen: Seen, decisions: Decisions) -> None:
    """Every source has a declared shape, with its new fields and the approved changes in it.

    A waiver lets one run pass, and declares nothing.
    """
    taken = accepted(seen.changes, decisions.approved)
    for each in seen.shapes:
        known = seen.declared.get(each.source)
        own = [change for change in taken if change.source == each.source]
        after = declared_after(known, each.shape, own)
        if after != known:
            declared_shapes.declare(job.session, each.source, after, batch_id)


def _closed(batch_id: int, report: GateReport, open_changes: Sequence[Change], rules: Rules) -> str:
    """The text that says what stops the run, and what lets it pass."""
    by_name = {rule.name: rule for rule in rules.rules}
    lines = [
        f"the quality gate stopped batch {batch_id}: nothing was computed, and the current view is unchanged. Broken:"
    ]
    for found in report.broken:
        rule = by_name[found.rule]
        lines.append(f"  {rule.name}: {rule.says}. {found.text}")
        lines.extend(f"      to let it pass: {option}" for option in _options(rule, open_changes))
    lines.append(
        "Rows that break a rule are in `lambda360 quarantine list`. Mend them at their source, or give "
        "`lambda360 batch run` these options; the journal keeps them."
    )
    return "\n".join(lines)


def _options(rule: AnyRule, open_changes: Sequence[Change]) -> list[str]:
    approvals = [
        f"--approve {shlex.quote(change.name)} (declares it)"
        for change in open_changes
        if isinstance(rule, ShapeRule) and change.what is rule.what
    ]
    return [*approvals, f"--waive {rule.name}=REASON" + (" (this run only)" if approvals else "")]
