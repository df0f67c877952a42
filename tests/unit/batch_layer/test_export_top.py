"""The tops of rankings: of any parts of the rows, in any order, they hold what sorting all of them gives."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_layer.export import top
from batch_layer.export.columns import COLUMNS, KINDS
from common.algebra.metrics import METRICS, RANKED
from common.algebra.rankings import PLACES, Entry, Scope, in_order

IDS = ["a", "b", "B", "é", "z", "\uffee", "𝄞", "aa", "10", "9"]
customers = st.lists(
    st.fixed_dictionaries(
        {
            "customer_id": st.sampled_from(IDS),
            "segment": st.sampled_from([None, "retail", "a b"]),
            "country": st.sampled_from([None, "GB"]),
            **{
                each.name: st.sampled_from([None, 0, 1, 1, 7])
                if each.unit == "count"
                else st.sampled_from([None, "-1.50", "0.00", "7.25", "99999999999999999.99"])
                for each in RANKED
            },
        }
    ),
    unique_by=lambda row: row["customer_id"],
    max_size=len(IDS),
)


def batch_of(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    columns = []
    for name in top.READ:
        kind = COLUMNS[name].arrow
        values = [row[name] for row in rows]
        columns.append(
            pa.array(values, pa.string()).cast(kind) if pa.types.is_decimal(kind) else pa.array(values, kind)
        )
    return pa.RecordBatch.from_arrays(columns, names=list(top.READ))


def of_each(tables: list[pa.Table]) -> dict[tuple[str, str, str], list[Entry]]:
    """The entries by ranking, in whatever order they came."""
    found: dict[tuple[str, str, str], list[Entry]] = {}
    for table in tables:
        assert table.schema == top.SCHEMA
        for row in table.to_pylist():
            found.setdefault((row["metric"], row["scope"], row["member"]), []).append(
                Entry(row["customer_id"], row["value"])
            )
    return found


def sorted_by_hand(rows: list[dict[str, Any]], size: int) -> dict[tuple[str, str, str], list[tuple[str, float]]]:
    """Each ranking by the rule itself."""
    found: dict[tuple[str, str, str], list[tuple[str, float]]] = {}
    for metric in RANKED:
        for row in rows:
            if row[metric.name] is None:
                continue
            members = {"all": "", "segment": row["segment"], "country": row["country"]}
            for scope, member in members.items():
                if member is not None:
                    found.setdefault((metric.name, scope, member), []).append(
                        (row["customer_id"], float(row[metric.name]))
                    )
    return {key: sorted(entries, key=lambda each: (-each[1], each[0]))[:size] for key, entries in found.items()}


@given(customers, st.integers(1, 4), st.integers(0, 10), st.sampled_from([0, 2, 1000]))
def test_the_tops_of_parts_give_the_top_of_the_whole(
    rows: list[dict[str, Any]], size: int, middle: int, most: int
) -> None:
    """Ties by customer id; without a value, a segment or a country a customer is in no such ranking."""
    parts = [batch_of(rows[:middle]), batch_of(rows[middle:])]

    found = of_each(list(top.tops(parts, size, most)))

    by_size = {
        key: [(e.customer_id, float(e.value)) for e in in_order(entries)[:size]] for key, entries in found.items()
    }
    assert by_size == sorted_by_hand(rows, size)
    if most == 1000:
        assert all(len(entries) <= size for entries in found.values())


def test_only_metrics_of_money_and_counts_are_ranked_and_the_columns_of_an_export_have_a_name_each() -> None:
    assert {metric.unit for metric in RANKED} == set(PLACES)
    assert {metric.unit for metric in METRICS} <= KINDS.keys()
    assert len(COLUMNS) == len(METRICS) + 6
    assert {str(scope) for scope in Scope} == {"all", "segment", "country"}


def test_the_columns_that_rankings_read_are_exported() -> None:
    assert set(top.READ) <= COLUMNS.keys()


@pytest.mark.parametrize("rows", [0, 1])
def test_few_rows_are_no_error(rows: int) -> None:
    one = {"customer_id": "ada", "segment": None, "country": None, **dict.fromkeys((m.name for m in RANKED), None)}

    assert of_each(list(top.tops([batch_of([one][:rows])], 3))) == {}
