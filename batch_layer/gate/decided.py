"""The journal's entries for the decisions that a run needed to pass the gate."""

from collections.abc import Iterator

from batch_layer.gate_report import GateReport
from batch_layer.job import Job
from common.servers import journal


def journalled(job: Job, batch_id: int, report: GateReport) -> None:
    """The journal has an entry for each waiver and approval that was used. Idempotent."""
    wanted = list(_entries(job, batch_id, report))
    for entry in journal.missing(job.session, wanted) if wanted else ():
        journal.record(job.session, entry)


def _entries(job: Job, batch_id: int, report: GateReport) -> Iterator[journal.Entry]:
    for rule, reason in report.waived.items():
        yield _entry(job, "waive", f"rule {rule} for batch {batch_id}", reason)
    for name in report.approved:
        yield _entry(job, "approve", f"{name} by batch {batch_id}", "")


def _entry(job: Job, action: str, what: str, reason: str) -> journal.Entry:
    made = journal.Entry(at=job.clock(), who=job.who, action=action, what=what, reason=reason, done=True)
    return journal.decision(made)
