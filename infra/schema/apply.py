"""Tables and topics of one deployment, on any cluster that the settings name; every call may be repeated."""

import math
import os
import uuid
from importlib.metadata import version
from typing import Final

from common.servers import log_identity
from common.servers.cassandra import connected
from common.servers.kafka import topic_identity
from common.settings import Settings
from infra.context import Report, operator, quiet
from infra.schema import changes, ddl, topics
from infra.schema.changes import Change
from infra.schema.ledger import Ledger
from infra.schema.lock import Lock, Terms, locked, lost

_SPARE_SECONDS: Final = 10.0


def apply(settings: Settings, report: Report = quiet) -> None:
    """The keyspace, its tables and the topics exist, and the log is the one on record (R1).

    Raises SchemaError where the keyspace and this release have different histories; LogError, before anything is made
    in Kafka, where the log on record is gone or is another one; StoreUnavailable; LogUnavailable.
    """
    with connected(settings, keyspace=False) as session:
        apply_changes(Ledger(session, settings), _terms(settings), report)
        session.set_keyspace(settings.cassandra.keyspace)
        topics.apply(settings, on_record=log_identity.find(session, settings.log.topic))
        found = log_identity.record(session, topic_identity(settings, settings.log.topic))
    made = f"keyspace {settings.cassandra.keyspace}, topic {found.topic} with {found.partitions} partitions"
    report(f"schema: {made} (id {found.topic_id})")


def apply_changes(ledger: Ledger, terms: Terms, report: Report) -> None:
    """Every change of this release is applied, in order, and on record.

    Killed anywhere, it is run again: a change that is not on record is applied from its first statement on.
    """
    known, on_record = changes.load(), ledger.recorded()
    for each in changes.newer(known, on_record):
        report(f"schema: {each.title} is of a newer release, applied {each.story}; it was left alone")
    applied = []
    if changes.waiting(known, on_record):
        ledger.make()
        with locked(ledger, terms, report) as lock:
            for change in changes.waiting(known, ledger.recorded()):  # another process may have applied some meanwhile
                _apply_change(ledger, lock, change)
                applied.append(change)
                report(f"schema: {change.title} applied")
    if not applied:
        report(f"schema: nothing new, {known[-1].title} is the last change")


def _apply_change(ledger: Ledger, lock: Lock, change: Change) -> None:
    for statement in change.statements:
        lock.keep()
        ledger.execute(statement)
    if not ledger.record(change, lock.owner, _user()):
        raise lost()


def _terms(settings: Settings) -> Terms:
    """An owner of its own for each call; a lock outlives the slowest statement."""
    owner = f"{_user()}, process {os.getpid()} ({uuid.uuid4().hex[:8]})"
    slowest = settings.cassandra.request_timeout_seconds + ddl.AGREEMENT_SECONDS
    return Terms(owner, math.ceil(slowest + _SPARE_SECONDS))


def _user() -> str:
    """Who applies changes: user, host and release."""
    return f"{operator()} with lambda360 {version('lambda360')}"
