"""The pointer's row: how it is read, and changed by compare-and-set (R17). Knows no slot.

The batch layer changes it by `batch_layer.view.publish`, an operator by `common.servers.rollback`.
"""

from collections.abc import Callable
from typing import Final

from cassandra import ConsistencyLevel
from cassandra.cluster import Session
from cassandra.query import SimpleStatement

from common.algebra import pointer
from common.algebra.pointer import NAME, Pointer
from common.errors import BatchError
from common.servers.cassandra import UNAVAILABLE
from common.servers.patience import patiently
from common.tables import Tables

ATTEMPTS: Final = 20
_SELECT: Final = f"SELECT value FROM {Tables.batch_pointer} WHERE name = %s"


def read_text(session: Session) -> str | None:
    """Returns the row's text as the last compare-and-set left it, by a serial read; None without a row."""
    select = SimpleStatement(_SELECT, consistency_level=ConsistencyLevel.LOCAL_SERIAL)
    row = session.execute(select, (NAME,)).one()
    # Sessions have rows of different kinds: named ones, and plain tuples.
    return None if row is None else row[0]


def read(session: Session) -> Pointer:
    """Returns the pointer as the last compare-and-set left it, by a serial read."""
    return pointer.decode(read_text(session))


def patient_read(session: Session) -> Pointer:
    """Returns what `read` does, and repeats the read while Cassandra does not answer, see `patiently`."""
    return pointer.decode(_patiently(session))


def transition(session: Session, change: Callable[[Pointer], Pointer]) -> Pointer:
    """Applies `change` to the pointer row by compare-and-set, and returns the pointer after it.

    If the compare-and-set loses a race, or gets no answer, the row is read again, serially, and `change` is applied to
    it: so `change` must return a pointer that it has changed already as it is. Raises BatchError after `ATTEMPTS`.
    """
    for _ in range(ATTEMPTS):
        before = _patiently(session)
        after = change(pointer.decode(before))
        if after == pointer.decode(before) or _compare_and_set(session, before, pointer.encode(after)):
            return after
    raise BatchError(
        f"the pointer could not be changed in {ATTEMPTS} attempts: other runs changed it first, or Cassandra did not "
        "answer; run this again"
    )


def _patiently(session: Session) -> str | None:
    return patiently(lambda: read_text(session), "reading the pointer")


def _compare_and_set(session: Session, before: str | None, after: str) -> bool:
    """Whether the change is known to be applied; without an answer it is not."""
    try:
        if before is None:
            insert = f"INSERT INTO {Tables.batch_pointer} (name, value) VALUES (%s, %s) IF NOT EXISTS"
            row = session.execute(insert, (NAME, after)).one()
        else:
            update = f"UPDATE {Tables.batch_pointer} SET value = %s WHERE name = %s IF value = %s"
            row = session.execute(update, (after, NAME, before)).one()
    except UNAVAILABLE:
        return False
    applied, *_ = row  # the column `[applied]` has no name in Python, and is always the first
    return bool(applied)
