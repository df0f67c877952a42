"""The nightly job, step by step. How a step is done is in the step's own module."""

from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.master.archive import archive
from batch_layer.view import publish
from batch_layer.view.load import load
from batch_layer.view.publish import Manifest
from batch_layer.view.recompute import recomputed
from batch_layer.view.verify import verify
from common.algebra.pointer import Claim, Plan, Published
from common.algebra.versions import logic_version


def run(job: Job, *, force: bool = False) -> Published | None:
    """Publishes a complete view of the log as it stood at the call, and returns the published batch.

    Returns None, and changes nothing, if the current batch has the same plan already and not `force`. A run that is
    killed at any step leaves the current view as it was, and the next run finishes the batch (R19). Raises ClaimLost if
    another run claimed a slot, or published, first.
    """
    archived = archive(job)
    job.done("archive", f"{archived.records} new records, {archived.rejected} rejected")
    # Not built yet: the quality gate, which judges the snapshot before anything is computed from it.
    plan = Plan(
        snapshot=archived.snapshot,
        cut=archived.cut,
        logic_version=logic_version(),
        validation_version=archived.validation_version,
    )
    current = publish.read(job.session).published
    if current is not None and current.plan == plan and not force:
        return None
    claim = publish.claim(job.session, plan)
    publish.write_manifest(job.session, _manifest(job, claim, "loading"))
    job.done("claim", f"batch {claim.batch_id} in slot {claim.slot}")
    states = recomputed(master.at_snapshot(job, plan.snapshot), plan.cut)
    loaded = load(job, states, claim)
    job.done("recompute and load", f"{loaded.rows} customers")
    verify(job, claim, loaded)
    job.done("verify", f"{loaded.rows} rows read back, checksum {loaded.checksum}")
    # Not built yet: the audit, which compares the loaded slot with the current one and the deltas between (R18).
    done = Published(
        batch_id=claim.batch_id,
        slot=claim.slot,
        plan=plan,
        published_at=job.clock(),
        rows=loaded.rows,
        checksum=loaded.checksum,
    )
    publish.write_manifest(job.session, _manifest(job, claim, "verified", done))
    publish.publish(job.session, claim, done)
    job.done("publish", f"batch {done.batch_id} is current")
    publish.write_manifest(job.session, _manifest(job, claim, "published", done))
    return done


def _manifest(job: Job, claim: Claim, status: str, done: Published | None = None) -> Manifest:
    return Manifest(
        batch_id=claim.batch_id,
        slot=claim.slot,
        plan=claim.plan,
        status=status,
        started_at=job.started_at,
        finished_at=done.published_at if done else None,
        rows=done.rows if done else None,
        checksum=done.checksum if done else None,
        seconds=dict(job.seconds),
    )
