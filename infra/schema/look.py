"""What was applied to a deployment, and what `schema apply` would make: nothing is changed here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cassandra import InvalidRequest
from cassandra.cluster import Session

from common.servers import log_identity
from common.servers.cassandra import connected
from common.servers.log_identity import LogIdentity
from common.settings import Settings
from infra.schema import changes, keyspace, topics
from infra.schema.changes import Change, Recorded, SchemaError
from infra.schema.ledger import Ledger


class State(StrEnum):
    """What a change is to a keyspace."""

    APPLIED = "applied"
    PENDING = "pending"
    CHANGED = "changed since"
    NEWER = "of a newer release"


@dataclass(frozen=True, slots=True)
class Line:
    """A change, and what a keyspace has of it on record, if anything."""

    title: str
    state: State
    record: Recorded | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be made; `keyspace` is None where it exists."""

    keyspace: str | None
    changes: Sequence[Change]
    topics: Mapping[str, Mapping[str, str]]

    @property
    def is_empty(self) -> bool:
        return not (self.keyspace or self.changes or self.topics)


def plan(settings: Settings) -> Plan:
    """What `apply` would make. Raises what `apply` would raise before it makes anything."""
    with connected(settings, keyspace=False) as session:
        lacking = changes.waiting(changes.load(), Ledger(session, settings).recorded())
        if not keyspace.exists(session, settings):
            return Plan(keyspace.statement(settings), lacking, topics.missing(settings))
        session.set_keyspace(settings.cassandra.keyspace)
        return Plan(None, lacking, topics.missing(settings, _log_on_record(session, settings)))


def listing(settings: Settings) -> list[Line]:
    """Every change of this release and of the keyspace, in order."""
    with connected(settings, keyspace=False) as session:
        return lines(changes.load(), Ledger(session, settings).recorded())


def check(session: Session, settings: Settings) -> str:
    """One line that says that every change is applied. Raises SchemaError, which says what to do, if not."""
    known = changes.load()
    lacking = changes.waiting(known, Ledger(session, settings).recorded())
    if lacking:
        titles = ", ".join(change.title for change in lacking)
        raise SchemaError(f"not applied: {titles}; run `lambda360 schema apply`")
    select = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s"
    found = {row.table_name for row in session.execute(select, (settings.cassandra.keyspace,))}
    absent = sorted(changes.tables() - found)
    if absent:
        raise SchemaError(f"was made and is gone: {', '.join(absent)}; bring it back, or begin with a new keyspace")
    return f"every change is applied, up to {known[-1].title}"


def lines(known: Sequence[Change], recorded: Sequence[Recorded]) -> list[Line]:
    """Every change that is known or on record, in order."""
    on_record = {each.number: each for each in recorded}
    own = [
        Line(change.title, _state(change, on_record.get(change.number)), on_record.get(change.number))
        for change in known
    ]
    return [*own, *(Line(each.title, State.NEWER, each) for each in changes.newer(known, recorded))]


def _state(change: Change, record: Recorded | None) -> State:
    if record is None:
        return State.PENDING
    return State.APPLIED if record.checksum == change.checksum else State.CHANGED


def _log_on_record(session: Session, settings: Settings) -> LogIdentity | None:
    try:
        return log_identity.find(session, settings.log.topic)
    except InvalidRequest:  # a keyspace without tables
        return None
