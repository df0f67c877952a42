"""The audit, step by step (R18): read back, compare answers and facts, look into what differs, accept or stop."""

from dataclasses import dataclass, replace

from pyspark.sql import DataFrame

from batch_layer.audit import facts, joined, passage, scan
from batch_layer.audit.decided import accept
from batch_layer.audit.evidence import examined
from batch_layer.audit.outcome import Marks, incomplete, reported
from batch_layer.audit.passage import Passage
from batch_layer.audit.ranges import Scope
from batch_layer.audit.report import stopping, way_on
from batch_layer.audit.tally import NAMED, Tally, collected
from batch_layer.job import Job
from batch_layer.reports import AuditReport
from batch_layer.view import publish, verify
from batch_layer.view.digest import Digest
from batch_layer.view.recompute import recomputed
from common.algebra.pointer import Claim, Plan, Published, cut_of
from common.errors import BatchError, DriftFound


@dataclass(frozen=True, slots=True)
class Loaded:
    """What is audited: a claim, whose slot is loaded, and the recomputation that was loaded."""

    claim: Claim
    states: DataFrame
    digest: Digest
    """Of the rows as they were sent to the slot."""


def settle(job: Job, claim: Claim, report: AuditReport, marks: Marks) -> None:
    """Returns if the audited slot may be published. Customers whose drift the operator accepts are marked then.

    Idempotent: a mark that is there is a standing acceptance. Raises DriftFound, with what to do, for what nobody
    accepted, and ClaimLost if another run took the slot meanwhile.
    """
    publish.check_held(job.session, claim)  # a run that took the slot over explains every difference
    stops = stopping(report, job.decisions)
    if stops:
        raise DriftFound(f"batch {claim.batch_id}: {stops}\n{way_on(report, claim.batch_id)}")
    accept(job, claim, report, marks)


def audit(job: Job, loaded: Loaded, current: Published | None) -> tuple[AuditReport, Marks]:
    """Returns the report of a loaded slot that may be published instead of `current`, the batch that is served now.

    Changes nothing. The marks are of the customers with drift that the job's operator accepts; see `settle`.
    """
    plan = loaded.claim.plan
    cut = cut_of(current)
    generation = publish.read(job.session).generation
    passing = passage.awaited(job, plan, cut)
    scope = Scope(
        settings=job.settings,
        claim=loaded.claim,
        base=current if current is not None and is_comparable(current, plan) else None,
        cut=cut,
        generation=generation,
        audited=passing.audited,
        ranges=scan.ranges_of(job, plan, loaded.digest.rows),
    )
    tally = _compared(job, scope, current)
    if tally.digest != loaded.digest:
        return incomplete(scope, loaded.digest, tally, *joined.differing(job, loaded.claim, loaded.states)), {}
    first = loaded.claim.batch_id % facts.SLICES
    sample = facts.sampled(job, plan, generation, passing.passed, first=first)
    # Progress is read again: deltas that expired while they were read are no drift.
    after = passage.judged(passage.read(job), plan, cut, job.clock())
    if after.audited != passing.audited:
        scope = replace(scope, audited=passing.audited & after.audited)
        tally = _compared(job, scope, current)
    if publish.read(job.session).generation != generation:
        raise BatchError("the speed tables were rebuilt during the audit; run this again with --resume")
    suspects = list(dict.fromkeys((*tally.customers, *sample.wrong)))[:NAMED]
    both = Passage(
        passed=passing.passed & after.passed,
        audited=scope.audited,
        reasons=passing.reasons if scope.audited == passing.audited else (*passing.reasons, *after.reasons),
    )
    return reported(scope, both, tally, sample, list(examined(job, scope, both, suspects)), job.decisions)


def is_comparable(current: Published, plan: Plan) -> bool:
    """Whether the current batch's rows were made as the new one's; otherwise its cut is recomputed for the audit."""
    ours = plan.logic_version, plan.validation_version
    return (current.plan.logic_version, current.plan.validation_version) == ours


def _compared(job: Job, scope: Scope, current: Published | None) -> Tally:
    if scope.base is not None or current is None:
        return collected(scan.scanned(job, scope))
    digest = verify.read_back(job, scope.claim)
    base = recomputed(job, scope.claim.plan.snapshot, scope.cut)
    tally = collected(joined.compared_with(job, scope, base))
    tally.digest = digest
    return tally
