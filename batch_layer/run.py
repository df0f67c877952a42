"""The nightly job: the story, step by step."""

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
    """A complete view of the log, as it stood at the call, is the current one; none if it was already and not `force`.

    Killed at any step, it leaves the current view as it was, and the next run finishes it (R19). Raises ClaimLost if
    another run came first.
    """
    archived = archive(job)
    job.done("archive", f"{archived.records} new records, {archived.rejected} rejected")
    # The quality gate comes here: it judges the snapshot before anything is computed from it.
    plan = Plan(archived.snapshot, archived.cut, logic_version(), archived.validation_version)
    current = publish.read(job.session).published
    if current is not None and current.plan == plan and not force:
        return None
    claim = publish.claim(job.session, plan)
    publish.record(job.session, _manifest(job, claim, "loading"))
    job.done("claim", f"batch {claim.batch_id} in slot {claim.slot}")
    states = recomputed(master.at_snapshot(job, plan.snapshot), plan.cut)
    loaded = load(job, states, claim)
    job.done("recompute and load", f"{loaded.rows} customers")
    verify(job, claim, loaded)
    job.done("verify", f"{loaded.rows} rows read back, checksum {loaded.checksum}")
    # The audit comes here: the loaded slot against the current one and the deltas between (R18).
    done = Published(claim.batch_id, claim.slot, plan, job.clock(), loaded.rows, loaded.checksum)
    publish.record(job.session, _manifest(job, claim, "verified", done))
    publish.publish(job.session, claim, done)
    job.done("publish", f"batch {done.batch_id} is current")
    publish.record(job.session, _manifest(job, claim, "published", done))
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
