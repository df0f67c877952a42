"""Run events: what people are told of a run. Pure. An event names no customer and no value of a record."""

import hashlib
from typing import Final

import msgspec

from batch_layer.gate_report import Severity
from batch_layer.manifest import Manifest
from batch_layer.monitor.rules import Breach
from common.algebra.dates import datetime_of
from common.errors import ClaimLost, GateClosed, LogError, Unavailable
from common.servers.notifications import BATCH, Notification

SOURCE: Final = "lambda360/batch"
TYPE: Final = "batch.run_event"
STOPPED: Final = "stopped"
"""The rule that a run breaks by being stopped."""
_TELLABLE: Final = (GateClosed, LogError, ClaimLost, Unavailable)
"""Errors whose texts name no customer. Those of an audit do, and of others nobody knows."""


class RunEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in a run. Equal events have equal ids, so that a run that is repeated repeats them."""

    rule: str
    severity: Severity
    title: str
    message: str
    pipeline: str
    """The deployment: its keyspace."""
    execution_date: str
    """The UTC day on which the run began, as `2026-11-26`."""
    batch_id: int | None
    """None if the run was stopped before it had an id."""

    @property
    def id(self) -> str:
        """`lambda360:12:duration`; of a run that was stopped, its reason stands in it: `lambda360:12:stopped:1f0c…`.

        It holds no dot, which Standard Webhooks forbids.
        """
        run = self.execution_date if self.batch_id is None else str(self.batch_id)
        parts = [self.pipeline, run, self.rule]
        if self.rule == STOPPED:
            parts.append(hashlib.sha256(f"{self.title} {self.message}".encode()).hexdigest()[:12])
        return ":".join(parts)


class _CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    specversion: str = "1.0"
    id: str
    source: str = SOURCE
    type: str = TYPE
    subject: str
    time: str
    datacontenttype: str = "application/json"
    data: RunEvent


def of_breach(breach: Breach, run: Manifest, pipeline: str) -> RunEvent:
    """Returns the event of a rule that a published run broke."""
    return RunEvent(
        rule=breach.rule,
        severity=Severity.WARN,
        title=f"batch {run.batch_id}: {breach.title}",
        message=breach.message,
        pipeline=pipeline,
        execution_date=day_of(run.started_at),
        batch_id=run.batch_id,
    )


def of_stop(error: Exception, run: Manifest | None, pipeline: str, started_at: int) -> RunEvent:
    """Returns the event of a run that `error` stopped; `run` is None if it had no manifest yet."""
    name, where = ("a batch run", "its planning") if run is None else (f"batch {run.batch_id}", f"step {run.step}")
    return RunEvent(
        rule=STOPPED,
        severity=Severity.ERROR,
        title=f"{name} was stopped in {where}",
        message=_reason(error, run),
        pipeline=pipeline,
        execution_date=day_of(started_at if run is None else run.started_at),
        batch_id=None if run is None else run.batch_id,
    )


def notification_of(event: RunEvent, at: int) -> Notification:
    """Returns the event as it is kept and sent: a CloudEvent of the moment `at`, microseconds since the epoch (UTC)."""
    text = _CloudEvent(id=event.id, subject=event.pipeline, time=datetime_of(at).isoformat(), data=event)
    return Notification(queue=BATCH, at=at, id=event.id, body=msgspec.json.encode(text).decode())


def day_of(micros: int) -> str:
    """Returns the UTC day of a moment, as `2026-11-26`."""
    return datetime_of(micros).date().isoformat()


def _reason(error: Exception, run: Manifest | None) -> str:
    kind = type(error).__name__
    if isinstance(error, _TELLABLE):
        return f"{kind}: {error}"
    found = f"; the audit found: {run.audit.figures}" if run is not None and run.audit is not None else ""
    show = "the run's output" if run is None else f"`lambda360 batch show {run.batch_id}`"
    return f"{kind}{found}. {show} has the whole text, which may name customers"
