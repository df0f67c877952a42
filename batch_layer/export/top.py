"""The greatest values of each ranking, column by column. Pure: the tops of parts give the top of the whole."""

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batch_layer.export.columns import DECIMAL_2, TEXT
from common.algebra.metrics import RANKED
from common.algebra.rankings import Scope

_COLUMNS: Final = {"metric": TEXT, "scope": TEXT, "member": TEXT, "customer_id": TEXT, "value": DECIMAL_2}
SCHEMA: Final = pa.schema([(name, kind.arrow) for name, kind in _COLUMNS.items()])
SQL_SCHEMA: Final = ", ".join(f"{name} {kind.sql}" for name, kind in _COLUMNS.items())
READ: Final = ("customer_id", *(str(scope) for scope in Scope if scope is not Scope.ALL), *(m.name for m in RANKED))
"""The columns of exported rows that rankings need."""
MOST_ROWS: Final = 100_000
"""Of one metric and scope in a task's memory: with very many segments, what is found so far is handed on earlier."""
_ORDER: Final = (("member", "ascending"), ("value", "descending"), ("customer_id", "ascending"))
Tops = dict[tuple[str, Scope], pa.Table]


def tops(batches: Iterable[pa.RecordBatch], size: int, most: int = MOST_ROWS) -> Iterator[pa.Table]:
    """Yields the columns `SCHEMA`, at most a few times for each metric and scope.

    `batches` has the columns `READ`. What is yielded holds at least the `size` customers of the greatest value of each
    ranking, with ties by customer id. Customers without a value, a segment or a country are in no such ranking.
    """
    kept: Tops = {}
    for batch in batches:
        for metric in RANKED:
            for scope in Scope:
                found = _ranked(batch, metric.name, scope)
                before = kept.pop((metric.name, scope), None)
                top = first_of_each(found if before is None else pa.concat_tables([before, found]), size)
                if top.num_rows > most:
                    yield _named(top, metric.name, scope)
                else:
                    kept[metric.name, scope] = top
    for (name, scope), top in kept.items():
        yield _named(top, name, scope)


def first_of_each(rows: pa.Table, size: int) -> pa.Table:
    """Returns the first `size` rows of each member, by value, the greatest first, and equal ones by customer id."""
    ordered = rows.take(pc.sort_indices(rows, sort_keys=list(_ORDER)))
    members = ordered["member"].combine_chunks().dictionary_encode().indices.to_numpy()
    places = np.arange(len(members))
    starts = np.flatnonzero(np.append(True, members[1:] != members[:-1])) if len(members) else places
    begun = np.repeat(starts, np.diff(np.append(starts, len(members))))
    return ordered.filter(pa.array(places - begun < size))


def _ranked(batch: pa.RecordBatch, metric: str, scope: Scope) -> pa.Table:
    """The customers who have a value and, where the scope asks for it, a member, with both."""
    everybody = pa.repeat(pa.scalar("", pa.string()), batch.num_rows)
    columns = {
        "member": everybody if scope is Scope.ALL else batch[str(scope)],
        "value": batch[metric].cast(DECIMAL_2.arrow),
        "customer_id": batch["customer_id"],
    }
    return pa.table(columns).drop_null()


def _named(top: pa.Table, metric: str, scope: Scope) -> pa.Table:
    named = {"metric": metric, "scope": str(scope)}
    for name, text in named.items():
        top = top.append_column(name, pa.repeat(pa.scalar(text, pa.string()), top.num_rows))
    return top.select(SCHEMA.names)
