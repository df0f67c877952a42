"""The pointer's row as every layer reads it: batch_layer.view.publish alone changes it (R17). Knows no slot."""

from typing import Final

from cassandra import ConsistencyLevel
from cassandra.cluster import Session
from cassandra.query import SimpleStatement

from common.algebra import pointer
from common.algebra.pointer import NAME, Pointer
from common.tables import Tables

_SELECT: Final = f"SELECT value FROM {Tables.batch_pointer} WHERE name = %s"


def read_text(session: Session) -> str | None:
    """Returns the row's text as the last compare-and-set left it, by a serial read; None without a row."""
    select = SimpleStatement(_SELECT, consistency_level=ConsistencyLevel.LOCAL_SERIAL)
    row = session.execute(select, (NAME,)).one()
    return None if row is None else row.value


def read(session: Session) -> Pointer:
    """Returns the pointer as the last compare-and-set left it, by a serial read."""
    return pointer.decode(read_text(session))
