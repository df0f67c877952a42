"""The journal's entries for drift, and for a batch without an audit, that an operator accepted (R18)."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from batch_layer.audit import drift
from batch_layer.job import Job
from batch_layer.reports import AuditReport
from common.algebra.pointer import Claim
from common.servers import journal
from common.servers.journal import Entry

_NAMES: Final = uuid.UUID("7f0e2f0a-52f5-4d6e-8a0c-4f7d6a1b9c22")
"""The namespace of our ids: a decision about one batch has the same id whenever its run is repeated."""
_LOOKED_AT: Final = 1_000


def accept(job: Job, claim: Claim, report: AuditReport, marks: Mapping[str, Sequence[str]]) -> None:
    """Marks the customers of `marks`, each with its classes, and keeps in the journal what was accepted. Idempotent.

    A customer has an entry alone, so that an erasure can take it away. It is recorded before the mark is written.
    """
    entries = {
        customer: _entry(job, "accept drift", f"{customer!r} in batch {claim.batch_id}: {', '.join(classes)}", report)
        for customer, classes in marks.items()
    }
    if report.unaudited_accepted:
        what = f"batch {claim.batch_id}: {'; '.join(report.unaudited)}"
        entries[""] = _entry(job, "accept unaudited", what, report)
    if not entries:
        return
    known = {entry.id: entry for entry in journal.entries(job.session, _LOOKED_AT)}
    new = [entry for entry in entries.values() if entry.id not in known]
    for entry in new:
        journal.record(job.session, entry)
    drift.mark(job.session, report.generation, claim.batch_id, claim.plan.cut, marks)
    for entry in new:
        journal.done(job.session, entry)


def _entry(job: Job, action: str, what: str, report: AuditReport) -> Entry:
    made = Entry(at=job.clock(), who=job.who, action=action, what=what, reason=report.reason)
    return replace(made, id=uuid.uuid5(_NAMES, f"{action} {what} {report.reason}"))
