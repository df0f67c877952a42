"""The step that tells people: run events go to the log and, if there is a webhook, are kept, sent and marked."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import msgspec
import structlog

from batch_layer import manifest as manifests
from batch_layer.gate_report import Severity
from batch_layer.job import Job
from batch_layer.manifest import Manifest, published_before
from batch_layer.monitor.baselines import baselines, duration_of
from batch_layer.monitor.events import RunEvent, notification_of, of_breach, of_stop
from batch_layer.monitor.rules import Breach, Judged, breaches
from common.algebra.pointer import Published
from common.errors import StoreUnavailable, UsageError
from common.servers.delivery import Delivery, Unkept
from common.servers.notifications import BATCH, NotificationTable, Outbox
from common.servers.webhook import new_breaker

log = structlog.get_logger(__name__)


class HasManifest(Protocol):
    """The record of a run."""

    manifest: Manifest


@dataclass(slots=True)
class Open:
    """The run that is under way; `record` is None before it has one."""

    record: HasManifest | None = None


@contextmanager
def stops_told(job: Job) -> Iterator[Open]:
    """Tells people if an error ends the run inside, and raises that error again, whatever becomes of the telling.

    A command that could not be used (a UsageError before the run has a record) is told to nobody but its operator. If
    the run ends without a record, since nothing was new, what earlier runs could not send is sent.
    """
    run = Open()
    try:
        yield run
    except Exception as error:
        if run.record is not None or not isinstance(error, UsageError):
            with _never_failing():
                _stopped(job, None if run.record is None else run.record.manifest, error)
        raise
    if run.record is None:
        with _never_failing():
            _send(job)


def notify(job: Job, run: Manifest, done: Published) -> None:
    """Judges the published run by those before it, and tells what it found. Idempotent: ids and times are the same.

    A webhook that does not answer delays the run by `run_seconds` at most, and fails nothing; the next run sends what
    is left. Raises StoreUnavailable.
    """
    found = [of_breach(each, run, job.settings.cassandra.keyspace) for each in _broken(job, run, done)]
    _log(found)
    _keep(job, found, done.published_at)
    named = ", ".join(event.rule for event in found) or "nothing unusual"
    job.done("notify", f"{named}; webhook: {_send(job)}")


def _broken(job: Job, run: Manifest, done: Published) -> list[Breach]:
    before = published_before(manifests.manifests(job.session), run.batch_id)
    judged = Judged(
        batch_id=run.batch_id,
        duration=duration_of(run),
        published_at=done.published_at,
        gate=run.gate,
        sla_hours=job.settings.sla_hours,
    )
    return breaches(judged, baselines(before))


def _stopped(job: Job, run: Manifest | None, error: Exception) -> None:
    event = of_stop(error, run, job.settings.cassandra.keyspace, job.started_at)
    _log([event])
    now = job.clock()
    try:
        _keep(job, [event], now)
        _send(job)
    except StoreUnavailable:  # what stopped the run may be that very server: then it is sent without being kept
        _send(job, Unkept(notification_of(event, now)))


def _log(events: Sequence[RunEvent]) -> None:
    for event in events:
        write = log.error if event.severity is Severity.ERROR else log.warning
        write("run_event", id=event.id, **{name: str(value) for name, value in msgspec.structs.asdict(event).items()})


def _keep(job: Job, events: Sequence[RunEvent], at: int) -> None:
    if job.settings.notify.url:
        for event in events:
            _outbox(job).keep(notification_of(event, at))


def _send(job: Job, outbox: Outbox | None = None) -> str:
    """Sends what is pending, and returns what was done, in a line."""
    settings = job.settings.notify
    if not settings.url:
        return "none"
    delivery = Delivery(settings, outbox or _outbox(job), new_breaker(settings), job.clock)
    return delivery.run(BATCH, seconds=settings.run_seconds).summary


def _outbox(job: Job) -> NotificationTable:
    return NotificationTable(job.session, job.settings.notify, job.clock)


@contextmanager
def _never_failing() -> Iterator[None]:
    """Logs an error inside, in place of raising it: people are told less, and the run's own end stands."""
    try:
        yield
    except Exception:
        log.exception("not_told")
