"""R13: who may build the next generation of the speed tables, and the switch to it."""

import pytest

from common.algebra.cut import Cut
from common.algebra.generation import Generation, begin, check_claimed, generation_of, move
from common.algebra.pointer import Loss, Plan, Pointer, claim, decode, encode, publish, switch
from common.errors import ClaimLost

NOW = 1_800_000_000_000_000


def published(pointer: Pointer, snapshot: int) -> Pointer:
    claimed, mine = claim(pointer, Plan(snapshot, Cut.of({0: snapshot}), "logic", "validation"))
    return publish(claimed, mine, published_at=snapshot, rows=1, checksum="c")


def moved(pointer: Pointer) -> Pointer:
    claimed = begin(pointer)
    assert claimed.rebuilding is not None
    return move(claimed, Generation(claimed.rebuilding, NOW))


def test_before_the_first_rebuild_the_tables_of_the_schema_are_served() -> None:
    assert generation_of(decode(None)) == Generation(number=1, written_since=0)


def test_r13_a_rebuild_is_served_only_after_its_switch() -> None:
    claimed = begin(Pointer())

    assert generation_of(claimed) == Generation(1, 0)
    assert generation_of(move(claimed, Generation(2, NOW))) == Generation(2, NOW)


def test_r13_a_number_is_never_given_twice_so_a_killed_rebuilds_tables_are_not_written_again() -> None:
    killed = begin(begin(Pointer()))

    assert (killed.rebuilding, killed.generation) == (3, 1)
    assert begin(moved(killed)).rebuilding == 5


def test_r13_of_two_rebuilds_at_once_the_later_one_wins_and_the_other_is_told() -> None:
    first = begin(Pointer())
    second = begin(first)

    with pytest.raises(ClaimLost, match="generation 2 was overtaken by another one; generation 1 is served"):
        move(second, Generation(2, NOW))
    won = move(second, Generation(3, NOW))
    with pytest.raises(ClaimLost, match="generation 3 is served"):
        check_claimed(won, 2)


def test_a_switch_whose_answer_was_lost_is_recognized() -> None:
    won = moved(Pointer())

    assert move(won, generation_of(won)) == won


def test_r13_a_rollback_never_changes_the_generation() -> None:
    both = published(published(moved(Pointer()), 1), 2)

    assert generation_of(switch(both, 1)) == Generation(2, NOW)
    across = published(moved(published(Pointer(), 1)), 2)
    assert generation_of(switch(across, 1)) == Generation(2, NOW)


def test_r18_a_switch_drops_the_marks_and_keeps_batches_and_losses() -> None:
    before = published(Pointer(marked=True, losses=(Loss(0, 5, 9, NOW),)), 1)

    after = moved(before)

    assert not after.marked
    assert (after.published, after.losses) == (before.published, before.losses)


def test_the_row_of_an_earlier_release_is_of_the_first_generation() -> None:
    assert decode('{"last_batch_id":0,"current":null,"complete":[],"claims":[]}') == Pointer()
    assert decode(encode(moved(Pointer()))) == moved(Pointer())
