"""The journal in Cassandra: what operators decided, when and why. An entry only changes to say that it is done."""

import uuid
from collections.abc import Sequence
from typing import Final

import msgspec
from cassandra.cluster import Session

from common.servers.patience import patiently
from common.tables import Tables

_NAME: Final = "operator"
_DECISIONS: Final = uuid.UUID("7f0e2f0a-52f5-4d6e-8a0c-4f7d6a1b9c22")
"""The namespace of ids that are made from what was decided."""
_LOOKED_AT: Final = 1_000
"""The newest entries, in which one that may be there already is looked for."""


class Entry(msgspec.Struct, frozen=True):
    """One decision."""

    at: int
    """Microseconds since the epoch, UTC."""
    who: str
    """The operator's account and machine."""
    action: str
    """`rollback`, …: the command."""
    what: str
    """What it was done to, in a sentence for people."""
    reason: str
    """Why, in the operator's words; empty if none was given."""
    done: bool = False
    """False if the action was begun and its end is not known: it was killed, or Cassandra did not answer."""
    id: uuid.UUID = msgspec.field(default_factory=uuid.uuid4)


def decision(entry: Entry) -> Entry:
    """Returns the entry with an id made from action, object and reason: the same one whenever a run is repeated."""
    text = f"{entry.action} {entry.what} {entry.reason}"
    return msgspec.structs.replace(entry, id=uuid.uuid5(_DECISIONS, text))


def missing(session: Session, wanted: Sequence[Entry]) -> list[Entry]:
    """Returns those of the decisions that the journal does not have yet."""
    known = {entry.id for entry in entries(session, _LOOKED_AT)}
    return [entry for entry in wanted if entry.id not in known]


def record(session: Session, entry: Entry) -> None:
    """Stores the entry in place of an earlier one of the same time and id. Idempotent."""
    insert = f"INSERT INTO {Tables.journal} (name, at, id, entry) VALUES (%s, %s, %s, %s)"
    text = msgspec.json.encode(entry).decode()
    patiently(lambda: session.execute(insert, (_NAME, entry.at, entry.id, text)), "writing the journal")


def done(session: Session, entry: Entry) -> None:
    """Records that what the entry says was done."""
    record(session, msgspec.structs.replace(entry, done=True))


def entries(session: Session, limit: int) -> list[Entry]:
    """Returns the newest entries, at most `limit`, the newest first."""
    select = f"SELECT entry FROM {Tables.journal} WHERE name = %s LIMIT %s"
    rows = patiently(lambda: list(session.execute(select, (_NAME, limit))), "reading the journal")
    return [msgspec.json.decode(row.entry, type=Entry) for row in rows]
