"""R17, R19: the pointer's transitions; what no sequence of them may do is in `tests/laws`."""

import pytest

from common.algebra.cut import Cut
from common.algebra.pointer import Plan, Pointer, claim, decode, previous, publish, switch
from common.errors import BatchError, ClaimLost


def plan(snapshot: int) -> Plan:
    return Plan(snapshot, Cut.of({0: snapshot}), "logic", "validation")


def published(pointer: Pointer, snapshot: int) -> Pointer:
    claimed, mine = claim(pointer, plan(snapshot))
    return publish(claimed, mine, published_at=snapshot, rows=1, checksum="c")


def test_before_the_first_batch_there_is_no_current_one() -> None:
    assert decode(None) == Pointer()
    assert Pointer().published is None


def test_a_published_batch_is_the_current_one_with_the_plan_that_was_claimed() -> None:
    current = published(Pointer(), 1).published
    assert current is not None
    assert (current.batch_id, current.slot, current.plan) == (1, "a", plan(1))


def test_a_claim_publishes_nothing() -> None:
    first = published(Pointer(), 1)
    assert claim(first, plan(2))[0].published == first.published


def test_the_same_plan_takes_its_unfinished_claim_up_again() -> None:
    """R19: the same command, run again, finishes under the same id."""
    claimed, mine = claim(Pointer(), plan(1))
    assert claim(claimed, plan(1)) == (claimed, mine)


def test_another_plan_takes_the_claim_over_under_a_new_id_and_the_first_cannot_publish() -> None:
    claimed, first = claim(Pointer(), plan(1))
    taken, second = claim(claimed, plan(2))
    assert second.batch_id > first.batch_id
    with pytest.raises(ClaimLost, match="batch 1 lost slot 'a'"):
        publish(taken, first, published_at=0, rows=0, checksum="")
    assert publish(taken, second, published_at=0, rows=0, checksum="").current == second.batch_id


def test_a_claim_publishes_once() -> None:
    claimed, mine = claim(Pointer(), plan(1))
    done = publish(claimed, mine, published_at=0, rows=0, checksum="")
    with pytest.raises(ClaimLost):
        publish(done, mine, published_at=0, rows=0, checksum="")


def test_a_plan_that_differs_in_a_version_is_another_plan() -> None:
    claimed, mine = claim(Pointer(), plan(1))
    assert claim(claimed, Plan(1, Cut.of({0: 1}), "new logic", "validation"))[1].batch_id > mine.batch_id


def test_a_rollback_points_at_an_earlier_batch_with_its_own_cut_and_can_be_undone() -> None:
    both = published(published(Pointer(), 1), 2)
    back = switch(both, 1)
    assert back.published is not None
    assert back.published.plan == plan(1)
    assert switch(back, 2) == both


def test_a_rollback_goes_back_to_the_latest_batch_that_is_older_than_the_current_one() -> None:
    three = published(published(published(Pointer(), 1), 2), 3)

    assert previous(three).batch_id == 2
    assert previous(switch(three, 2)).batch_id == 1
    with pytest.raises(BatchError, match=r"older than the current one, 1; in slots are \[1, 2, 3\]"):
        previous(switch(three, 1))


def test_there_is_nothing_to_go_back_to_before_the_first_batch() -> None:
    with pytest.raises(BatchError, match="no batch in a slot is older"):
        previous(Pointer())


def test_after_a_rollback_the_next_claim_spares_the_current_and_the_latest_other() -> None:
    three = published(published(published(Pointer(), 1), 2), 3)
    _, mine = claim(switch(three, 2), plan(4))
    assert mine.slot == "a"


def test_a_batch_whose_slot_was_claimed_anew_cannot_be_pointed_at() -> None:
    three = published(published(published(Pointer(), 1), 2), 3)
    claimed, _ = claim(three, plan(4))
    with pytest.raises(BatchError, match=r"batch 1 is in no slot; the batches in slots are \[2, 3\]"):
        switch(claimed, 1)
