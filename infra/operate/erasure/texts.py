"""Takes erased customers' ids out of manifests and journal, their records and alerts out of the other tables (R24)."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from cassandra.cluster import Session

from common.log.erasure import Erasure
from common.log.mention import mentions, without
from common.servers.patience import patiently
from common.tables import Tables
from infra.operate.dead_letters.selection import Filter
from infra.operate.dead_letters.table import OperatorTable
from infra.operate.erasure.copies import is_forgotten_copy, letter_names

_TEXTS: Final = (
    (Tables.batches, ("name", "batch_id"), "manifest"),
    (Tables.journal, ("name", "at", "id"), "entry"),
)
"""Tables of JSON texts that may name customers: keys, and the column of the text."""

_OPERATORS: Final = ("who", "owner")
"""Fields that name an operator's account, which may be spelled like a customer's id."""


def scrub(session: Session, of: Sequence[Erasure]) -> int:
    """Replaces the ids in manifests and journal entries by `(erased at P:O)`; returns how many texts were changed."""
    return sum(_scrub_table(session, of, *each) for each in _TEXTS)


def scrubbed(value: Any, of: Sequence[Erasure]) -> Any:
    """Returns JSON data with every id in a text, or in the name of a field, replaced; operators keep their names."""
    match value:
        case str():
            for erasure in of:
                value = without(value, erasure.customer_id, f"(erased at {erasure.position})")
            return value
        case list():
            return [scrubbed(each, of) for each in value]
        case dict():
            return {scrubbed(key, of): each if key in _OPERATORS else scrubbed(each, of) for key, each in value.items()}
        case _:
            return value


def _scrub_table(session: Session, of: Sequence[Erasure], table: str, keys: tuple[str, ...], column: str) -> int:
    select = f"SELECT {', '.join(keys)}, {column} AS text, WRITETIME({column}) AS written_at FROM {table}"
    where = " AND ".join(f"{key} = %s" for key in keys)
    rows: list[Any] = patiently(lambda: list(session.execute(select)), f"reading {table}")
    changed = 0
    for row in rows:
        after = _text(row.text, of)
        if after != row.text:
            # Right behind what is replaced: a run's manifests are written at times of their own, in the order of steps.
            values = (row.written_at + 1, after, *(getattr(row, key) for key in keys))
            update = f"UPDATE {table} USING TIMESTAMP %s SET {column} = %s WHERE {where}"
            patiently(partial(session.execute, update, values), f"scrubbing {table}")
            changed += 1
    return changed


def _text(text: str, of: Sequence[Erasure]) -> str:
    named = [erasure for erasure in of if mentions(text.encode(), erasure.customer_id)]
    if not named:
        return text
    return msgspec.json.encode(scrubbed(msgspec.json.decode(text), named)).decode()


def remove_letters(session: Session, erased: Mapping[str, Erasure]) -> int:
    """Deletes the dead letters of records that the erasures forget, whatever their state; returns how many."""
    table = OperatorTable(session)
    doomed = [each.address for each in table.letters(Filter(), with_values=True) if letter_names(each, erased)]
    for address in doomed:
        table.delete(address)
    return len(doomed)


def remove_notifications(session: Session, erased: Mapping[str, Erasure]) -> int:
    """Deletes the kept notifications of alerts that the erasures forget, sent or not; returns how many.

    Every row is read, also one that is older than this deployment keeps them now.
    """
    table = Tables.notifications
    select = f"SELECT queue, day, at, id, body FROM {table}"
    delete = f"DELETE FROM {table} WHERE queue = %s AND day = %s AND at = %s AND id = %s"
    removed = 0
    for row in patiently(lambda: session.execute(select), f"reading {table}"):
        if row.body is not None and is_forgotten_copy(row.body.encode(), erased):
            values = (row.queue, row.day, row.at, row.id)
            patiently(partial(session.execute, delete, values), f"erasing from {table}")
            removed += 1
    return removed
