"""The journal's entries for the decisions that a run needed to pass the gate."""

import uuid
from collections.abc import Iterator
from typing import Final

from batch_layer.gate_report import GateReport
from batch_layer.job import Job
from common.servers import journal

_NAMES: Final = uuid.UUID("5a2c1f0e-4a0d-4b7e-9d0b-6d0f9a6c7f11")
"""The namespace of our ids: a decision of one run has the same id whenever the run is repeated."""
_LOOKED_AT: Final = 1_000


def journalled(job: Job, batch_id: int, report: GateReport) -> None:
    """The journal has an entry for each waiver and approval that was used. Idempotent."""
    wanted = list(_entries(job, batch_id, report))
    if not wanted:
        return
    known = {entry.id for entry in journal.entries(job.session, _LOOKED_AT)}
    for entry in wanted:
        if entry.id not in known:
            journal.record(job.session, entry)


def _entries(job: Job, batch_id: int, report: GateReport) -> Iterator[journal.Entry]:
    for rule, reason in report.waived.items():
        yield _entry(job, "waive", f"rule {rule} for batch {batch_id}", reason)
    for name in report.approved:
        yield _entry(job, "approve", f"{name} by batch {batch_id}", "")


def _entry(job: Job, action: str, what: str, reason: str) -> journal.Entry:
    return journal.Entry(
        at=job.clock(),
        who=job.who,
        action=action,
        what=what,
        reason=reason,
        done=True,
        id=uuid.uuid5(_NAMES, f"{action} {what} {reason}"),
    )
