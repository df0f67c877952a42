"""The speed tables of later generations (R13): made by the statements that made the first ones, and dropped.

A table of generation 2 is declared as the first generation's is after every file of the schema.
"""

import re
from dataclasses import dataclass
from typing import Final

from cassandra.cluster import Session

from common.tables import FIRST_GENERATION, Tables
from infra.schema import changes, ddl

_LATER: Final = re.compile(r"speed_(?:facts|deltas)_g(\d+)")


def statements(generation: int) -> list[str]:
    """Returns the schema's statements about facts and deltas, in order, for the tables of `generation`."""
    first, own = Tables(FIRST_GENERATION), Tables(generation)
    names = {first.facts: own.facts, first.deltas: own.deltas}
    of_first = re.compile(rf"\b(?:{'|'.join(names)})\b")
    return [
        of_first.sub(lambda match: names[match[0]], statement)
        for statement in changes.statements()
        if of_first.search(statement)
    ]


@dataclass(frozen=True, slots=True)
class GenerationTables:
    """The facts and deltas of each generation in the session's keyspace. Each call may raise StoreUnavailable."""

    session: Session

    def make(self, generation: int) -> None:
        """The tables of `generation` exist, on every node. Idempotent."""
        for statement in statements(generation):
            ddl.execute(self.session, statement)

    def existing(self) -> set[int]:
        """Returns the later generations whose tables there are."""
        select = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s"
        rows = self.session.execute(select, (self.session.keyspace,))
        return {int(name[1]) for name in (_LATER.fullmatch(row.table_name) for row in rows) if name}

    def retire(self, generation: int) -> None:
        """The tables of a later `generation` are dropped. Idempotent."""
        tables = Tables(generation)
        for table in (tables.facts, tables.deltas):
            ddl.execute(self.session, f"DROP TABLE IF EXISTS {table}")
