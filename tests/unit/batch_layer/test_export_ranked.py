"""Rankings as a reader finds them: through the pointer, complete, and without who was erased (R17, R20, R24)."""

from datetime import date
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from batch_layer.export.ranked import read
from common.algebra.cut import Cut
from common.algebra.pointer import Plan, Pointer, Published
from common.algebra.rankings import Entry, RankingKey
from common.errors import BatchError

DAY = date(2024, 6, 30)
KEY = RankingKey("total_revenue")


class Tables:
    """A session whose tables hold what a test says; a statement is known by its table."""

    def __init__(self, ranked: dict[str, int], rows: dict[str, list[tuple[str, int, str]]], erased: dict[str, int]):
        self.ranked = ranked
        self.rows = rows
        self.erased = erased
        self.asked: list[str] = []

    def prepare(self, text: str) -> Any:
        return SimpleNamespace(text=text, fetch_size=0)

    def execute(self, statement: Any, values: Any = ()) -> list[Any]:
        text = getattr(statement, "text", statement)
        self.asked.append(text)
        if "ranked_slots" in text:
            when = SimpleNamespace(date=lambda: DAY)
            return [SimpleNamespace(slot=s, batch_id=n, as_of=when, size=9) for s, n in self.ranked.items()]
        if "customer_rankings_" in text:
            assert values == ("total_revenue", "all", "")
            slot = text.split("customer_rankings_")[1][0]
            return [SimpleNamespace(customer_id=c, batch_id=n, value=Decimal(v)) for c, n, v in self.rows[slot]]
        assert "speed_facts_g2" in text, "the markers of the generation that the pointer names"
        return [SimpleNamespace(customer_id=c, value=str(at)) for c, at in self.erased.items() if c in values[0]]


def pointer(current: int, *batches: tuple[int, str]) -> Pointer:
    plan = Plan(1, Cut({0: 10}), "2", "3")
    complete = tuple(Published(number, slot, plan, 1, 1, "sum") for number, slot in batches)
    return Pointer(last_batch_id=9, current=current, complete=complete, generation=2, last_generation=2)


def found(tables: Any, of: Pointer) -> tuple[int, list[Entry]]:
    ranking = read(tables, of, KEY)
    assert (ranking.as_of, ranking.size) == (DAY, 9)
    return ranking.batch_id, list(ranking.entries)


def test_a_row_of_an_older_batch_is_absent_and_equal_values_are_in_the_order_of_ids() -> None:
    """R20."""
    rows = [("b", 8, "2.50"), ("old", 5, "99.00"), ("a", 8, "2.50"), ("c", 8, "10.00")]
    tables = Tables({"b": 8}, {"b": rows}, {})

    assert found(tables, pointer(8, (7, "a"), (8, "b"))) == (
        8,
        [Entry("c", Decimal("10.00")), Entry("a", Decimal("2.50")), Entry("b", Decimal("2.50"))],
    )


def test_until_the_current_batchs_rankings_are_complete_those_of_the_batch_before_are_read() -> None:
    """R17: the slot's stamp is still that of the batch which had the slot before."""
    tables = Tables({"a": 7, "b": 5, "c": 6}, {"a": [("x", 7, "1")]}, {})
    of = pointer(8, (6, "c"), (7, "a"), (8, "b"))

    assert found(tables, of) == (7, [Entry("x", Decimal(1))])


def test_after_a_rollback_no_later_batch_is_read() -> None:
    tables = Tables({"a": 7, "b": 8}, {"a": [], "b": [("later", 8, "1")]}, {})

    assert found(tables, pointer(7, (7, "a"), (8, "b"))) == (7, [])


def test_who_was_erased_at_or_above_the_cut_is_left_out() -> None:
    """R24: an erasure below the cut was absorbed: the customer came back since."""
    rows = [("at", 8, "3"), ("above", 8, "2"), ("below", 8, "1")]
    tables = Tables({"b": 8}, {"b": rows}, {"at": 10, "above": 12, "below": 9})

    assert found(tables, pointer(8, (8, "b"))) == (8, [Entry("below", Decimal(1))])


def test_a_slot_that_was_used_again_meanwhile_and_no_rankings_at_all_are_said() -> None:
    """R20."""
    tables = Tables({"b": 8}, {"b": [("a", 8, "1"), ("z", 11, "1")]}, {})

    with pytest.raises(BatchError, match="batch 11 replaced this ranking"):
        read(tables, pointer(8, (8, "b")), KEY)
    for of in (pointer(9, (9, "b")), Pointer()):
        with pytest.raises(BatchError, match="no batch has its rankings yet"):
            read(tables, of, KEY)
