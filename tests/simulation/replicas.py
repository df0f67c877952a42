"""A replica of the store: cells with timestamps and times to live, deletes that win ties, mutations that are atomic."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from tests.simulation.cql import Change, Key, Put, Select

NEVER: Final = -1
NOT_DELETED: Final = -(2**62)


class Cell(NamedTuple):
    """A value; of two the greater timestamp wins, then the later expiry (an expired one counts as deleted), then the
    greater value, as in Cassandra.
    """

    timestamp: int
    expires_at: int
    value: Any


Cells = dict[tuple[Key, str], Cell]
"""By clustering key and column."""


class Part(NamedTuple):
    """What one replica gave of one partition of one table: the timestamp deleted up to, and the cells asked for."""

    deleted: int
    cells: Cells


NOTHING: Final = Part(NOT_DELETED, {})


class Replica:
    """One copy of every table."""

    def __init__(self, name: int) -> None:
        self.name = name
        self._parts: dict[tuple[str, Any], Part] = {}
        self._changes = 0
        self._versions: dict[tuple[str, Any], int] = {}

    def write(self, mutation: Iterable[Change], now: int) -> bool:
        """All of the mutation is there, as far as it is not older than what is; whether that changed anything.

        `now` (microseconds) is the time of the write: its cells' time to live begins then.
        """
        changed = False
        for change in mutation:
            if isinstance(change, Put):
                expires_at = NEVER if change.ttl is None else now + change.ttl * 1_000_000
                timestamp = now if change.timestamp is None else change.timestamp
                cells = {(change.clustering, n): Cell(timestamp, expires_at, v) for n, v in change.cells}
                changed |= self.merge(change.table, change.partition, Part(NOT_DELETED, cells))
            else:
                timestamp = now if change.timestamp is None else change.timestamp
                changed |= self.merge(change.table, change.partition, Part(timestamp, {}))
        return changed

    def merge(self, table: str, partition: Any, part: Part) -> bool:
        """Take in what another replica has, or a mutation says; whether that changed anything."""
        held = self._parts.get((table, partition)) or Part(NOT_DELETED, {})
        deleted, cells, changed = max(held.deleted, part.deleted), held.cells, False
        if deleted > held.deleted:
            kept = {at: cell for at, cell in cells.items() if cell.timestamp > deleted}
            changed, cells = True, kept
        for at, cell in part.cells.items():
            if cell.timestamp > deleted and (at not in cells or cell > cells[at]):
                cells[at], changed = cell, True
        if changed:
            self._parts[table, partition] = Part(deleted, cells)
            self._changed(table, partition)
        return changed

    def _changed(self, table: str, partition: Any) -> None:
        self._changes += 1
        self._versions[table, partition] = self._changes

    def version(self, table: str, partition: Any) -> int:
        """A number that grows whenever `held` changes."""
        return self._versions.get((table, partition), 0)

    def tamper(self, table: str, partition: Any, key: Key, text: str | None) -> None:
        """A row's text is another one, as if it had been written so, or the row is lost."""
        cells = self._parts[table, partition].cells
        self._changed(table, partition)
        for at, cell in [(at, cell) for at, cell in cells.items() if at[0] == key]:
            if text is None:
                del cells[at]
            else:
                cells[at] = cell._replace(value=text)

    def drop(self, table: str) -> None:
        """The table is empty."""
        for at in [at for at in self._parts if at[0] == table]:
            del self._parts[at]
            self._changed(*at)

    def held(self, table: str, partition: Any) -> Part:
        """Everything of one partition of one table; to be looked at only."""
        return self._parts.get((table, partition)) or NOTHING

    def part(self, select: Select, partition: Any) -> Part:
        """A copy of what is asked for, at this moment."""
        seen = self.seen(select, partition)
        return seen if select.wanted is not None else Part(seen.deleted, dict(seen.cells))

    def seen(self, select: Select, partition: Any) -> Part:
        """What is asked for, to be looked at only, and at this moment."""
        held, wanted = self.held(select.table.name, partition), select.wanted
        if wanted is None:
            return held
        return Part(held.deleted, {at: cell for at, cell in held.cells.items() if wanted(at[0])})


def merged(one: Part, other: Part) -> Part:
    """What a coordinator makes of two replicas' parts; to be looked at only."""
    if one == other:
        return one
    deleted, cells = max(one.deleted, other.deleted), dict(one.cells)
    for at, cell in other.cells.items():
        if at not in cells or cell > cells[at]:
            cells[at] = cell
    return Part(deleted, {at: cell for at, cell in cells.items() if cell.timestamp > deleted})


def rows(select: Select, partition: Any, part: Part, now: int) -> list[tuple[Any, ...]]:
    """The live rows, in clustering order, with the columns asked for."""
    found: dict[Key, dict[str, Any]] = {}
    cells = part.cells
    for at in sorted(cells):
        _, expires_at, value = cells[at]
        if expires_at == NEVER or expires_at > now:
            found.setdefault(at[0], {})[at[1]] = value
    whole, clustering, columns = select.table.partition[0], select.table.clustering, select.columns
    limited = found if select.limit is None else dict(list(found.items())[: select.limit])
    for key, row in limited.items():
        row[whole] = partition
        row.update(zip(clustering, key, strict=True))
    return [tuple(map(row.get, columns)) for row in limited.values()]
