"""R17, R20: which batch's rankings are read."""

from datetime import date

import pytest
from msgspec.structs import replace

from common.algebra.cut import Cut
from common.algebra.pointer import Plan, Pointer, Published
from common.algebra.rankings import RankedSlot, newest_ranked

PLAN = Plan(1, Cut.zero(), "2", "3")
BATCHES = tuple(Published(number, slot, PLAN, 0, 1, "") for number, slot in ((7, "b"), (8, "c"), (6, "a")))
POINTER = Pointer(8, 8, BATCHES)


@pytest.mark.parametrize(
    ("current", "ranked", "found"),
    [
        (8, {"a": 6, "b": 7, "c": 8}, 8),
        (8, {"a": 6, "b": 7}, 7),
        (8, {"a": 6, "b": 7, "c": 5}, 7),
        (7, {"a": 6, "b": 7, "c": 8}, 7),
        (6, {"b": 7, "c": 8}, None),
        (None, {"a": 6}, None),
    ],
    ids=["current", "not yet ranked", "of what the slot held before", "rolled back", "only later ones", "no batch"],
)
def test_the_newest_ranked_batch_is_the_current_one_or_one_before_it(
    current: int | None, ranked: dict[str, int], found: int | None
) -> None:
    slots = {slot: RankedSlot(batch_id, date(2024, 6, 30), 100) for slot, batch_id in ranked.items()}
    newest = newest_ranked(replace(POINTER, current=current), slots)
    assert (newest and newest.batch.batch_id) == found
