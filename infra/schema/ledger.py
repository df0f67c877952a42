"""The table `schema_changes`: what was applied to the keyspace, and who applies changes now."""

import uuid
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC
from typing import Any, Final

from cassandra import InvalidRequest, RequestValidationException
from cassandra.cluster import Session

from common.servers.cassandra import UNAVAILABLE
from common.servers.patience import patiently
from common.settings import Settings
from common.tables import Tables
from infra.schema import ddl, keyspace
from infra.schema.changes import Change, Recorded, SchemaError

PATIENCE_SECONDS: Final = 30.0
"""How long a conditional update that got no answer is repeated."""
_SCOPE: Final = "keyspace"
_MAKE: Final = """
CREATE TABLE IF NOT EXISTS {name} (
    scope text,            -- 'keyspace': one partition, so that a record is written only while the lock is held
    number int,
    name text,
    checksum text,         -- of the statements, without comments
    applied_at timestamp,
    applied_by text,       -- user, host and release
    lock_owner text STATIC, -- who applies changes now; it expires
    PRIMARY KEY ((scope), number)
) WITH id = {id} AND comment = 'Lightweight transactions only.'
"""


class Ledger:
    """One keyspace's. It writes by lightweight transactions only, and every call may be repeated.

    Where Cassandra does not answer, it raises the driver's errors, which `connected` translates.
    """

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._settings = settings
        self._name = f"{settings.cassandra.keyspace}.{Tables.schema_changes}"

    def make(self) -> None:
        """The keyspace and the table exist.

        The table's id follows from its name: nodes that are asked for it at the same time make the same table.
        """
        keyspace.make(self._session, self._settings)
        ddl.execute(self._session, _MAKE.format(name=self._name, id=uuid.uuid5(uuid.NAMESPACE_URL, self._name)))

    def recorded(self) -> list[Recorded]:
        """The changes that were applied, in the order of their numbers; none where there is no table."""
        select = f"SELECT number, name, checksum, applied_at, applied_by FROM {self._name} WHERE scope = %s"
        try:
            rows = self._session.execute(select, (_SCOPE,))
        except InvalidRequest:
            return []
        return [
            Recorded(row.number, row.name, row.checksum, row.applied_at.replace(tzinfo=UTC), row.applied_by)
            for row in rows
            if row.number is not None  # a lock without any record
        ]

    def execute(self, statement: str) -> None:
        """See `ddl.execute`. Raises SchemaError if Cassandra refuses the statement."""
        try:
            ddl.execute(self._session, statement)
        except RequestValidationException as error:
            raise SchemaError(f"Cassandra refused `{' '.join(statement.split())}`: {error}") from error

    def take_lock(self, owner: str, seconds: int) -> str | None:
        """None once `owner` holds the lock, for `seconds` from now; otherwise who holds it.

        An owner is a text of its own: a repeated call, after one without an answer, finds it there.
        """
        select = f"SELECT lock_owner FROM {self._name} WHERE scope = %s LIMIT 1"
        found = self._session.execute(select, (_SCOPE,)).one()
        held = found and found.lock_owner
        return self._set_lock(owner, seconds, expected=held) if held in (None, owner) else held

    def keep_lock(self, owner: str, seconds: int) -> bool:
        """Whether `owner` still holds the lock, now for `seconds` more."""
        return self._set_lock(owner, seconds, expected=owner) is None

    def release_lock(self, owner: str) -> None:
        """`owner` does not hold the lock; without an answer it expires."""
        update = f"UPDATE {self._name} SET lock_owner = null WHERE scope = %s IF lock_owner = %s"
        with suppress(*UNAVAILABLE):
            self._session.execute(update, (_SCOPE, owner))

    def record(self, change: Change, owner: str, applied_by: str) -> bool:
        """Whether the change is on record, as of now; `owner` must hold the lock."""
        update = (
            f"UPDATE {self._name} SET name = %s, checksum = %s, applied_at = toTimestamp(now()), applied_by = %s "
            "WHERE scope = %s AND number = %s IF lock_owner = %s"
        )
        values = (change.name, change.checksum, applied_by, _SCOPE, change.number, owner)
        return bool(self._decided(update, values)[0])

    def _set_lock(self, owner: str, seconds: int, expected: str | None) -> str | None:
        """None if `owner` holds the lock, which was `expected`'s; otherwise who holds it."""
        update = f"UPDATE {self._name} USING TTL {seconds} SET lock_owner = %s WHERE scope = %s IF lock_owner = %s"
        row = self._decided(update, (owner, _SCOPE, expected))
        return None if row[0] or row.lock_owner == owner else str(row.lock_owner or "nobody")

    def _decided(self, update: str, values: Sequence[object]) -> Any:
        """The row that says whether a conditional update was applied, in its first column, or what it found.

        Several on one row may make each other time out, so that it is repeated.
        """
        return patiently(lambda: self._session.execute(update, values).one(), "changing the schema", PATIENCE_SECONDS)
