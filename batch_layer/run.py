"""The nightly job, step by step. How a step is done is in the step's own module."""

from collections.abc import Callable
from contextlib import suppress

from msgspec.structs import replace
from pyspark.sql import DataFrame

from batch_layer import manifest as manifests
from batch_layer.after import exported
from batch_layer.audit.audit import Loaded, audit, settle
from batch_layer.begin import begun, resumed
from batch_layer.gate.gate import gate
from batch_layer.job import Job
from batch_layer.manifest import Step
from batch_layer.master import table as master
from batch_layer.master.archive import archive
from batch_layer.monitor.notify import notify, stops_told
from batch_layer.owner import Lease, owned
from batch_layer.record import Record
from batch_layer.reports import AuditReport
from batch_layer.until import Until
from batch_layer.view import publish
from batch_layer.view.digest import Digest
from batch_layer.view.load import load
from batch_layer.view.recompute import recomputed
from batch_layer.watch import watched
from common.algebra.cut import Cut
from common.algebra.pointer import Claim, Published, cut_of
from common.errors import ExportFailed, Lambda360Error, Unavailable, WarehouseUnavailable


def run(
    job: Job,
    *,
    until: Until | None = None,
    resume: int | None = None,
    force: bool = False,
    switched: Callable[[], None] = lambda: None,
) -> Published | None:
    """Publishes a complete view of the log as it stood at the call, or below `until`, and returns the published batch.

    Returns None, and changes nothing, if the current batch has the same plan already and not `force`. A run that is
    killed at any step leaves the current view as it was (R19). The next run finishes it, from its open step, if nothing
    has changed since; `resume` names a run to finish with the plan that it has. `switched` is called once the batch is
    current, before what follows the switch. Raises ClaimLost if another run is at
    work, or claimed a slot or published first, and ExportFailed if a batch is published and its export is not complete.
    """
    with owned(job.session, job.settings.home, job.who) as lease, stops_told(job) as told:
        failed = _finish_what_is_published(job, lease)
        owner = str(lease.owner)
        manifest = begun(job, owner, until=until, force=force) if resume is None else resumed(job, owner, resume)
        done = None
        if manifest is not None:
            told.record = Record(job, lease, manifest)
            done = _run(told.record, switched)
        if failed is not None:
            raise failed
        return done


def _run(record: Record, switched: Callable[[], None]) -> Published:
    """Goes through the steps, and stores where and why they stopped."""
    try:
        return _steps(record, switched)
    except Lambda360Error as error:
        if isinstance(error, Unavailable) and not isinstance(error, WarehouseUnavailable):
            record.interrupted()  # the open step in the manifest says where: nothing can be written now
            raise
        with suppress(Unavailable):
            record.stopped(str(error))
        raise


def _steps(record: Record, switched: Callable[[], None]) -> Published:
    job = record.job
    if record.manifest.step.number < Step.LOAD.number:
        _prepare(record)
    claim = Claim(record.manifest.batch_id, record.manifest.slot, record.manifest.plan)
    states = recomputed(job, claim.plan.snapshot, claim.plan.cut)
    loaded = Loaded(claim, states, _loaded(record, claim, states))
    report = _audited(record, loaded)
    record.enter(Step.PUBLISH)
    done = Published(
        batch_id=claim.batch_id,
        slot=claim.slot,
        plan=claim.plan,
        published_at=job.clock(),
        rows=loaded.digest.rows,
        checksum=loaded.digest.checksum,
    )
    publish.publish(job.session, claim, done, marked_in=report.generation if report.accepted else None)
    job.done("publish", f"batch {done.batch_id} is current")
    switched()
    _finish(record, done)
    return done


def _prepare(record: Record) -> None:
    """Archives, judges and claims: then the plan is fixed, and a slot is the run's own."""
    job = record.job
    run = record.manifest
    record.enter(Step.ARCHIVE)
    archived = archive(job, run.plan.cut)
    plan = replace(run.plan, snapshot=archived.snapshot, validation_version=archived.validation_version)
    record.planned(plan)
    job.done("archive", f"{archived.records} new records, {archived.rejected} rejected")
    record.enter(Step.GATE)
    since = cut_of(publish.read(job.session).published)
    report = gate(job, plan, since, run.batch_id, job.decisions)
    record.judged(report)
    job.done("gate", report.summary)
    claim = publish.claim(job.session, plan, run.batch_id)
    record.claimed(claim)
    job.done("claim", f"batch {claim.batch_id} in slot {claim.slot}")


def _loaded(record: Record, claim: Claim, states: DataFrame) -> Digest:
    """Returns the digest of `states` in the claimed slot; they are loaded unless an attempt before has done it."""
    job = record.job
    run = record.manifest
    if run.step.number > Step.LOAD.number and run.checksum is not None and run.rows is not None:
        return Digest.of(run.checksum, run.rows)
    record.enter(Step.LOAD)
    with watched(job, "recompute and load", claim.plan.cut.records_above(Cut.zero())):
        loaded = load(job, states, claim)
    record.loaded(loaded.rows, loaded.checksum)
    job.done("recompute and load", f"{loaded.rows} customers")
    return loaded


def _audited(record: Record, loaded: Loaded) -> AuditReport:
    """Returns the audit's report on the loaded slot, which may be published then."""
    job = record.job
    record.enter(Step.AUDIT)
    claim = loaded.claim
    current = publish.read(job.session).published
    publish.check_newest(current, claim.plan)
    report, marks = audit(job, loaded, current)
    record.audited(report)
    settle(job, claim, report, marks)
    job.done("audit", report.figures)
    return report


def _finish(record: Record, done: Published) -> None:
    """Does what comes after the switch; each part of it is idempotent."""
    exported(record, done)
    record.enter(Step.NOTIFY)
    notify(record.job, record.manifest, done)
    record.enter(Step.FINISH)
    master.tag(record.job, done.plan.snapshot, done.batch_id)
    record.published(done)


def _finish_what_is_published(job: Job, lease: Lease) -> ExportFailed | None:
    """Finishes a run that was killed or stopped after its switch, though the log may hold nothing new.

    Returns why one could not be finished: that keeps no new batch back.
    """
    failed = None
    complete = {batch.batch_id: batch for batch in publish.read(job.session).complete}
    for manifest in manifests.manifests(job.session):
        done = complete.get(manifest.batch_id)
        if manifest.is_open and done is not None:
            record = Record(job, lease, manifest.taken_up(str(lease.owner)))
            try:
                _finish(record, done)
                job.done("finish", f"batch {done.batch_id} was published before its run stopped")
            except ExportFailed as error:
                record.stopped(str(error))
                failed = error
    return failed
