"""R17, R19: the pointer's transitions; what no sequence of them may do is in `tests/laws`."""

import msgspec
import pytest
from msgspec.structs import replace

from common.algebra.cut import Cut
from common.algebra.pointer import Loss, Plan, Pointer, claim, decode, encode, previous, publish, switch
from common.errors import BatchError, ClaimLost, PointerUnreadable


class ReleaseBefore(msgspec.Struct, frozen=True):
    """The pointer of a release that knows neither generations nor marks nor losses, and drops unknown fields."""

    last_batch_id: int = 0
    current: int | None = None
    complete: tuple[msgspec.Raw, ...] = ()
    claims: tuple[msgspec.Raw, ...] = ()


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


MORE = {"generation": 2, "marked": True, "losses": (Loss(0, 5, 9, accepted_at=7),)}


def test_a_pointer_without_anything_new_is_read_by_the_release_before() -> None:
    """R17: releases that run beside each other read one row."""
    pointer, _ = claim(published(Pointer(), 1), plan(2))

    read = msgspec.json.decode(encode(pointer), type=ReleaseBefore)

    assert (read.last_batch_id, read.current, len(read.complete), len(read.claims)) == (2, 1, 1, 1)
    assert not any(word in encode(pointer) for word in MORE)


@pytest.mark.parametrize("name", MORE)
def test_what_the_release_before_would_drop_makes_the_row_unreadable_to_it(name: str) -> None:
    """R13, R15, R18: it would answer from the old tables, or forget a mark or a loss with its next write."""
    pointer = replace(published(Pointer(), 1), **{name: MORE[name]})

    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(encode(pointer), type=ReleaseBefore)

    assert decode(encode(pointer)) == pointer


@pytest.mark.parametrize(
    "text",
    [
        '{"current":1,"newer":true}',
        '["pointer-2",{"current":1,"newer":true}]',
        '["pointer-3",{"current":1}]',
        '{"losses":[{"partition":0,"from_offset":5,"to_offset":9,"accepted_at":7,"newer":true}]}',
        "not json",
    ],
)
def test_a_row_that_says_what_this_release_does_not_know_is_refused(text: str) -> None:
    """R17: its next write would drop it."""
    with pytest.raises(PointerUnreadable, match="a newer one wrote it"):
        decode(text)
