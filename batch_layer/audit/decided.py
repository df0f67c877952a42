"""The journal's entries for drift, and for a batch without an audit, that an operator accepted (R18)."""

from collections.abc import Mapping, Sequence

from batch_layer.audit import drift
from batch_layer.job import Job
from batch_layer.reports import AuditReport
from common.algebra.pointer import Claim
from common.servers import journal
from common.servers.journal import Entry


def accept(job: Job, claim: Claim, report: AuditReport, marks: Mapping[str, Sequence[str]]) -> None:
    """Marks the customers of `marks`, each with its classes, and keeps in the journal what was accepted. Idempotent.

    A customer has an entry alone, so that an erasure can take it away. It is recorded before the mark is written.
    """
    entries = [
        _entry(job, "accept drift", f"{customer!r} in batch {claim.batch_id}: {', '.join(classes)}", report)
        for customer, classes in marks.items()
    ]
    if report.unaudited_accepted:
        what = f"batch {claim.batch_id}: {'; '.join(report.unaudited)}"
        entries.append(_entry(job, "accept unaudited", what, report))
    if not entries:
        return
    new = journal.missing(job.session, entries)
    for entry in new:
        journal.record(job.session, entry)
    drift.mark(job.session, report.generation, claim.batch_id, claim.plan.cut, marks)
    for entry in new:
        journal.done(job.session, entry)


def _entry(job: Job, action: str, what: str, report: AuditReport) -> Entry:
    return journal.decision(Entry(at=job.clock(), who=job.who, action=action, what=what, reason=report.reason))
