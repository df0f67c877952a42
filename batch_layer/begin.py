"""How a run begins: a new one, the one that was killed or stopped before, or none, since nothing is new (R19)."""

from msgspec.structs import replace

from batch_layer import manifest as manifests
from batch_layer.job import Job
from batch_layer.manifest import Manifest, Status, Step
from batch_layer.master import table as master
from batch_layer.master.archive import checked_identity, cut_of_head, master_version
from batch_layer.until import Until, resolved
from batch_layer.view import publish
from common.algebra.cut import Cut
from common.algebra.pointer import Claim, Plan, Pointer, cut_of
from common.algebra.versions import logic_version
from common.errors import ClaimLost, UsageError
from common.servers import kafka


def begun(job: Job, owner: str, *, until: Until | None, force: bool) -> Manifest | None:
    """Returns the manifest of the run to make, or None if the current batch has the same plan already and not `force`.

    A run that was killed or stopped is taken up under its id: before its claim with the plan of now, after it only if
    nothing has changed since, so that its plan is the plan of now. Otherwise it is abandoned.
    """
    pointer = publish.read(job.session)
    plan = planned(job, pointer, until)
    current = pointer.published
    if current is not None and current.plan == plan and not force:
        return None
    newest = next(iter(manifests.manifests(job.session)), None)
    if newest is not None and newest.is_open and newest.step.number <= Step.PUBLISH.number:
        claim = claim_of(pointer, newest)
        if claim is not None and claim.plan == plan:
            return with_claim(newest.taken_up(owner), claim)
        if claim is None and newest.batch_id == pointer.last_batch_id and newest.step.number <= Step.GATE.number:
            return replace(newest.taken_up(owner), plan=plan, step=Step.PLAN)
        abandoned = replace(newest.taken_up(newest.owner), status=Status.ABANDONED)
        manifests.write(job.session, abandoned)
        job.observe(abandoned)
    return Manifest(
        batch_id=publish.begin(job.session),
        plan=plan,
        status=Status.RUNNING,
        step=Step.PLAN,
        owner=owner,
        started_at=job.started_at,
    )


def resumed(job: Job, owner: str, batch_id: int) -> Manifest:
    """Returns the manifest of run `batch_id`, to go on from its open step with the plan that it has.

    Raises UsageError if it is not there or is at its end, and ClaimLost if a later run took its place.
    """
    found = {run.batch_id: run for run in manifests.manifests(job.session)}
    run = found.get(batch_id)
    if run is None:
        known = ", ".join(map(str, sorted(found))) or "none yet"
        raise UsageError("--resume", batch_id, f"a run that was begun; there are: {known}")
    pointer = publish.read(job.session)
    if not run.is_open:
        raise UsageError("--resume", batch_id, f"a run that is not at its end; this one is {run.status}")
    claim = claim_of(pointer, run)
    if claim is not None:
        return with_claim(run.taken_up(owner), claim)
    if run.step.number > Step.PUBLISH.number:
        rule = (
            f"a run before its switch; this one is published, and any run goes on with what is left of it: {run.reason}"
        )
        raise UsageError("--resume", batch_id, rule)
    if batch_id != pointer.last_batch_id or run.step.number > Step.GATE.number:
        raise ClaimLost(f"a later run took the place of batch {batch_id}; `lambda360 batch run` plans anew")
    return replace(run.taken_up(owner), step=Step.PLAN)


def with_claim(run: Manifest, claim: Claim) -> Manifest:
    """Returns the manifest of a run that holds its claim, with the slot, the plan and the step to go on from.

    It goes on from its open step. A run that was stopped behind its loading loads again, for the audit may have found
    the slot wrong.
    """
    loaded = run.status is Status.RUNNING and run.step.number > Step.LOAD.number
    step = run.step if loaded else Step.LOAD
    return replace(run, slot=claim.slot, plan=claim.plan, step=step)


def claim_of(pointer: Pointer, run: Manifest) -> Claim | None:
    """Returns the claim that the run holds; None if it never had one, or lost it."""
    return next((held for held in pointer.claims if held.batch_id == run.batch_id), None)


def planned(job: Job, pointer: Pointer, until: Until | None) -> Plan:
    """Returns the plan of a run that begins now; its snapshot is the master's, if nothing is archived until then.

    Raises LogError if the log is not the recorded one, and UsageError for an `until` that cannot be.
    """
    identity = checked_identity(job)
    ends = Cut.of(kafka.end_offsets(job.settings, identity.partitions))
    master.ensure(job)
    head = master.head(job)
    target = ends.at_least(cut_of_head(head))
    if until is not None:
        target = resolved(job.settings, until, ends, cut_of(pointer.published))
    return Plan(
        snapshot=0 if head is None else head.snapshot,
        cut=target,
        logic_version=logic_version(),
        validation_version=master_version(job),
    )
