"""The record of one run while it goes on: each change of its manifest is stored before the step that it announces."""

from dataclasses import dataclass

from msgspec.structs import replace

from batch_layer import manifest as manifests
from batch_layer.gate_report import GateReport
from batch_layer.job import Job
from batch_layer.manifest import Manifest, Status, Step
from batch_layer.owner import Lease
from batch_layer.reports import AuditReport
from common.algebra.pointer import Claim, Plan, Published
from common.errors import Unavailable


@dataclass(slots=True)
class Record:
    """A run's manifest, as it is stored."""

    job: Job
    lease: Lease
    manifest: Manifest

    def enter(self, step: Step) -> None:
        """Stores that `step` is open. Raises ClaimLost if another process has taken the run over."""
        self.lease.check()
        self._store(replace(self.manifest, step=step, status=Status.RUNNING, reason=""))

    def planned(self, plan: Plan) -> None:
        """Keeps the plan, now that the records are archived. It is stored with the next step."""
        self.manifest = replace(self.manifest, plan=plan)

    def judged(self, report: GateReport) -> None:
        """Keeps what the quality gate found. It is stored with the next step."""
        self.manifest = replace(self.manifest, gate=report)

    def claimed(self, claim: Claim) -> None:
        """Keeps the slot of the claim. It is stored with the next step."""
        self.manifest = replace(self.manifest, slot=claim.slot)

    def loaded(self, rows: int, checksum: str) -> None:
        """Keeps the figures of the rows that were loaded. They are stored with the next step."""
        self.manifest = replace(self.manifest, rows=rows, checksum=checksum)

    def audited(self, report: AuditReport) -> None:
        """Keeps the audit's report. It is stored with the next step, or with the reason to stop."""
        self.manifest = replace(self.manifest, audit=report)

    def stopped(self, reason: str) -> None:
        """Stores that the open step has stopped, and why."""
        try:
            self._store(replace(self.manifest, status=Status.STOPPED, reason=reason))
        except Unavailable:
            self.interrupted()
            raise

    def interrupted(self) -> None:
        """Tells the observer that the open step has stopped, where nothing can be stored."""
        self.job.observe(replace(self.manifest, status=Status.STOPPED))

    def published(self, done: Published) -> None:
        """Stores that the run is at its end."""
        self._store(replace(self.manifest, status=Status.PUBLISHED, finished_at=done.published_at))

    def _store(self, changed: Manifest) -> None:
        seconds = {**self.manifest.seconds, **self.job.seconds}
        figures = {**self.manifest.figures, **self.job.figures}
        self.manifest = replace(changed, seconds=seconds, figures=figures)
        manifests.write(self.job.session, self.manifest)
        self.job.observe(self.manifest)
