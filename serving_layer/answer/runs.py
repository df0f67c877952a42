"""Shows batch runs, by their manifests and the pointer. Pure."""

from common.algebra.dates import datetime_of
from common.algebra.pointer import Pointer
from serving_layer.read.run_details import Audit, GateDetails, RunDetails
from serving_layer.schemas.batches import (
    AuditSummary,
    BatchRun,
    DriftSummary,
    GateSummary,
    RuleVerdict,
    StepSeconds,
)


def shown(run: RunDetails, pointer: Pointer) -> BatchRun:
    """Returns a run; what readers see, the pointer alone decides: whether it is current, and whether it is kept."""
    return BatchRun(
        id=run.batch_id,
        status=run.status,
        current=run.batch_id == pointer.current,
        kept=any(batch.batch_id == run.batch_id for batch in pointer.complete),
        started_at=None if run.started_at is None else datetime_of(run.started_at),
        published_at=None if run.finished_at is None else datetime_of(run.finished_at),
        rows=run.rows,
        records=run.records,
        cut=run.plan.cut.offsets,
        steps=[StepSeconds(name, seconds) for name, seconds in run.seconds.items()],
        gate=None if run.gate is None else _gate(run.gate),
        audit=None if run.audit is None else _audit(run.audit),
        quality_score=run.score,
    )


def _gate(gate: GateDetails) -> GateSummary:
    return GateSummary(
        records=gate.records,
        score=gate.score,
        quarantined=gate.quarantined,
        rules=[RuleVerdict(each.rule, each.kind, each.verdict, each.text) for each in gate.findings],
        changes=list(gate.changes),
    )


def _audit(audit: Audit) -> AuditSummary:
    return AuditSummary(
        compared=audit.compared,
        skipped=audit.skipped,
        facts=audit.facts,
        complete=audit.is_complete,
        findings=[DriftSummary(each.drift, each.customers) for each in audit.findings],
        accepted=len(audit.accepted),
        unaudited=list(audit.unaudited),
    )
