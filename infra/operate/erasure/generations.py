"""Resets erased customers in the speed tables of generations that no worker writes any more (R13, R24)."""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from cassandra.cluster import Session

from common.log.erasure import Erasure
from common.servers.patience import patiently
from common.settings import Settings

_SPEED_TABLE = re.compile(r"speed_(facts|deltas)(_g[0-9]+)?")


def tables(session: Session, settings: Settings) -> list[str]:
    """Returns the names of all tables of facts and deltas, of every generation."""
    select = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s"
    rows: list[Any] = patiently(
        lambda: list(session.execute(select, (settings.cassandra.keyspace,))), "reading the tables"
    )
    return sorted(row.table_name for row in rows if _SPEED_TABLE.fullmatch(row.table_name))


def reset(session: Session, settings: Settings, of: Sequence[Erasure]) -> int:
    """Deletes facts and deltas below each erasure in every generation, as the worker's reset did.

    Returns how many tables there are.
    The timestamp is the erasure's offset - 1, so markers, and whatever came later, stay (R11). Idempotent.
    """
    found = tables(session, settings)
    for table in found:
        statement = session.prepare(f"DELETE FROM {table} USING TIMESTAMP ? WHERE customer_id = ?")
        for erasure in of:
            values = (erasure.position.offset - 1, erasure.customer_id)
            patiently(partial(session.execute, statement, values), f"erasing from {table}")
    return len(found)
