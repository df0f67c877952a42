"""As much CQL as the core says: its own statement texts, compiled to writes, deletes and selects over plain rows."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from cassandra.query import UNSET_VALUE

from infra.schema import changes, generations

Key = tuple[Any, ...]
LATER_GENERATIONS: Final = range(2, 40)
"""Those whose tables there are."""
GENERATION: Final = re.compile(r"_g\d+$")
"""The end of a later generation's table's name."""
MARK: Final = r"(\?|%s|\d+)"
INSERT: Final = re.compile(
    rf"INSERT INTO (?:\w+\.)?(\w+) \(([^)]*)\) VALUES \([^)]*\)(?: USING TIMESTAMP {MARK})?(?: AND TTL {MARK})?"
)
UPDATE: Final = re.compile(r"UPDATE (\w+) USING TIMESTAMP \? SET (.*) WHERE (.*)")
DELETE: Final = re.compile(rf"DELETE FROM (?:\w+\.)?(\w+)(?: USING TIMESTAMP {MARK})? WHERE (\w+) = {MARK}")
SELECT: Final = re.compile(r"SELECT (.*) FROM (?:\w+\.)?(\w+) WHERE (.*?)(?: PER PARTITION LIMIT (\?))?")
MADE: Final = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+) \((.*?)\n\)(.*)", re.DOTALL)
ADDED: Final = re.compile(r"ALTER TABLE (\w+) ADD IF NOT EXISTS (\w+) (\w+)")
ALTERED: Final = re.compile(r"ALTER TABLE (\w+) WITH (read_repair = '\w+')")
CONDITION: Final = re.compile(r"(\w+|\(\w+(?:, \w+)*\)) (=|IN|>=) \?")


class Table(NamedTuple):
    """A table's columns by their role."""

    name: str
    partition: tuple[str, ...]
    clustering: tuple[str, ...]
    regular: tuple[str, ...]
    types: Mapping[str, str]
    is_repaired: bool
    """Whether a read gives the replicas that it asked what they lack of its rows (`read_repair = 'BLOCKING'`)."""


class Put(NamedTuple):
    """Cells of one row; without a timestamp the coordinator's clock is taken. `ttl` in seconds."""

    table: str
    partition: Any
    clustering: Key
    cells: tuple[tuple[str, Any], ...]
    timestamp: int | None
    ttl: int | None


class Delete(NamedTuple):
    """All of a partition, at or below the timestamp."""

    table: str
    partition: Any
    timestamp: int | None


class Select(NamedTuple):
    """Rows of some partitions: those whose clustering key `wanted` accepts (none: all), at most `limit` of each."""

    table: Table
    columns: tuple[str, ...]
    partitions: tuple[Any, ...]
    wanted: Callable[[Key], bool] | None
    limit: int | None


Change = Put | Delete


@cache
def tables() -> dict[str, Table]:
    """The deployment's own schema, by all its files, and the speed tables of some later generations (R13)."""
    found: dict[str, Table] = {}
    later = (statement for number in LATER_GENERATIONS for statement in generations.statements(number))
    for statement in (*changes.statements(), *later):
        if made := MADE.fullmatch(statement):
            found[made[1]] = _table(*made.groups())
        elif added := ADDED.fullmatch(statement):
            found[added[1]] = _with_column(found[added[1]], added[2], added[3])
        elif altered := ALTERED.fullmatch(statement):
            found[altered[1]] = found[altered[1]]._replace(is_repaired=_is_repaired(altered[2]))
        else:
            raise NotImplementedError(statement)
    return found


def _table(name: str, body: str, options: str) -> Table:
    types = dict(re.findall(r"^ +([a-z]\w*) +(\w+)", body, re.MULTILINE))
    key = re.search(r"PRIMARY KEY \(\((.*?)\)(.*?)\)\s*$", body)
    partition, clustering = (
        ((next(iter(types)),), ()) if key is None else (tuple(re.findall(r"\w+", part)) for part in key.groups())
    )
    regular = tuple(c for c in types if c not in (*clustering, *partition))
    return Table(name, partition, clustering, regular, types, is_repaired=_is_repaired(options))


def _is_repaired(options: str) -> bool:
    """Cassandra's own default is BLOCKING."""
    return re.search(r"read_repair = 'NONE'", options) is None


def _with_column(table: Table, column: str, type_: str) -> Table:
    return table._replace(regular=(*table.regular, column), types={**table.types, column: type_})


@cache
def compiled(text: str) -> Callable[[Sequence[Any]], Change | Select]:
    """The statement, waiting for its values. Raises NotImplementedError where the core has learned new words."""
    for pattern, build in ((INSERT, _insert), (UPDATE, _update), (DELETE, _delete), (SELECT, _select)):
        match = pattern.fullmatch(text)
        if match is not None:
            return build(match)
    raise NotImplementedError(text)


def from_wire(text: str, values: Sequence[Any]) -> list[Any]:
    """The values of an INSERT as they were before they were bound: texts and integers are all that it has."""
    return [
        value.decode() if is_text else int.from_bytes(value, "big", signed=True)
        for is_text, value in zip(_are_texts(text), values, strict=False)
    ]


@cache
def _are_texts(text: str) -> list[bool]:
    """Whether each value of an INSERT is a text; the last two are its timestamp and its time to live."""
    match = INSERT.fullmatch(text)
    if match is None:
        raise NotImplementedError(text)
    types = tables()[match[1]].types
    return [*(types[name] == "text" for name in match[2].split(", ")), False, False]


def _insert(match: re.Match[str]) -> Callable[[Sequence[Any]], Put]:
    table, columns = tables()[match[1]], match[2].split(", ")
    clustering = [columns.index(name) for name in table.clustering]
    cells = [(name, columns.index(name)) for name in columns if name in table.regular]
    (partition,) = (columns.index(name) for name in table.partition)

    def insert(values: Sequence[Any]) -> Put:
        rest = iter(values[len(columns) :])
        timestamp, ttl = (
            None if mark is None else int(mark if mark.isdigit() else next(rest)) for mark in match.groups()[2:]
        )
        key = tuple(values[index] for index in clustering)
        return Put(table.name, values[partition], key, tuple((n, values[i]) for n, i in cells), timestamp, ttl)

    return insert


def _update(match: re.Match[str]) -> Callable[[Sequence[Any]], Put]:
    table, targets = tables()[match[1]], match[2].split(", ")
    width = len(table.partition)
    if re.findall(r"(\w+) = \?", match[3]) != [*table.partition, *table.clustering]:
        raise NotImplementedError(match[0])

    def update(values: Sequence[Any]) -> Put:
        timestamp, *rest = values
        given = iter(rest)
        named = [(t.replace("?", str(next(given)), 1) if "[" in t else t, next(given)) for t in targets]
        cells = tuple((name.removesuffix(" = ?"), value) for name, value in named if value is not UNSET_VALUE)
        where = list(given)
        return Put(table.name, key_of(where[:width]), tuple(where[width:]), cells, timestamp, None)

    return update


def key_of(values: Sequence[Any]) -> Any:
    """A partition's key: its only column's value, or all of them."""
    return values[0] if len(values) == 1 else tuple(values)


def _delete(match: re.Match[str]) -> Callable[[Sequence[Any]], Delete]:
    name, timestamp, column = match[1], match[2], match[3]
    if (column,) != tables()[name].partition:
        raise NotImplementedError(match[0])
    return lambda values: Delete(name, values[-1], None if timestamp is None else values[0])


def _select(match: re.Match[str]) -> Callable[[Sequence[Any]], Select]:
    table, columns = tables()[match[2]], tuple(match[1].split(", "))
    conditions = [(re.findall(r"\w+", names), how) for names, how in CONDITION.findall(match[3])]
    width = len(table.partition)
    if len(conditions) != match[3].count("?") or [n for names, _ in conditions[:width] for n in names] != [
        *table.partition
    ]:
        raise NotImplementedError(match[0])

    def select(values: Sequence[Any]) -> Select:
        keys = tuple(values[0]) if conditions[0][1] == "IN" else (key_of(values[:width]),)
        tests = [
            _test(table, *condition, value)
            for condition, value in zip(conditions[width:], values[width:], strict=False)
        ]
        limit = values[-1] if match[4] else None
        if not tests:
            return Select(table, columns, keys, None, limit)
        wanted = tests[0] if len(tests) == 1 else lambda key: all(test(key) for test in tests)
        return Select(table, columns, keys, wanted, limit)

    return select


def _test(table: Table, names: list[str], how: str, value: Any) -> Callable[[Key], bool]:
    where = [table.clustering.index(name) for name in names]
    if len(where) > 1:
        accepted = {tuple(each) for each in value}
        return lambda key: tuple(key[index] for index in where) in accepted
    only = where[0]
    if how == "IN":
        return lambda key: key[only] in value
    return (lambda key: key[only] == value) if how == "=" else (lambda key: bool(key[only] >= value))
