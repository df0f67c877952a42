"""R22: what a quorum of two replicas at two moments may miss is read again; what it may see too early is left out."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pytest

from common.algebra.facts import Delta, encode
from common.algebra.marks import MARK_OFFSET, Mark, encode_mark
from serving_layer.read.deltas import Deltas, whole_deltas
from serving_layer.read.store import DeltaRow, SlotReused
from tests.support.serving_fakes import delta, order

RESET = encode(Delta.reset(1))
MARK = (MARK_OFFSET, encode_mark(Mark(accepted_drift=7, classes=("missing delta",))))


def row(offset: int) -> DeltaRow:
    return offset, encode(delta(order(offset)))


class Reads:
    """Gives one answer after the other; the last one for ever. `asked` are the customers of each read."""

    def __init__(self, *answers: Mapping[str, Sequence[DeltaRow]]) -> None:
        self.answers, self.asked = list(answers), list[list[str]]()

    async def deltas(self, generation: int, customers: Collection[str], cut: int) -> Mapping[str, Sequence[DeltaRow]]:
        self.asked.append(sorted(customers))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def read_both(reads: Reads, complete_below: int = 10) -> Deltas:
    store: Any = reads  # which is all that is asked of one
    return asyncio.run(whole_deltas(store, 1, ["ada", "bob"], cut=0, complete_below=complete_below))


def read(reads: Reads, complete_below: int = 10) -> Mapping[str, Sequence[DeltaRow]]:
    return read_both(reads, complete_below).rows


def test_what_progress_covers_is_read_once() -> None:
    reads = Reads({"ada": [row(3), row(9)]})
    assert read(reads) == {"ada": [row(3), row(9)]}
    assert reads.asked == [["ada", "bob"]]


def test_a_delta_above_progress_is_read_again_and_a_hole_below_it_is_filled() -> None:
    """Delta 10 was acknowledged before delta 11 was written, so the second read has it."""
    reads = Reads({"ada": [row(3), row(11)], "bob": [row(4)]}, {"ada": [row(3), row(10), row(11)]})
    assert read(reads) == {"ada": [row(3), row(10), row(11)], "bob": [row(4)]}
    assert reads.asked == [["ada", "bob"], ["ada"]]


def test_what_the_second_read_finds_further_up_is_left_out() -> None:
    """It may have a hole below it in turn."""
    assert read(Reads({"ada": [row(11)]}, {"ada": [row(10), row(11), row(13)]})) == {"ada": [row(10), row(11)]}


def test_what_only_the_first_read_saw_stays() -> None:
    """It reached one replica, which the second read did not ask."""
    assert read(Reads({"ada": [row(11)]}, {"ada": [row(10)]})) == {"ada": [row(10), row(11)]}


def test_after_a_reset_in_between_the_second_read_is_the_first_of_another_pair() -> None:
    """R24: it deleted what the first read saw."""
    reset = (12, RESET)
    reads = Reads({"ada": [row(11)]}, {"ada": [reset, row(14)]}, {"ada": [reset, row(13), row(14)]})
    assert read(reads) == {"ada": [reset, row(13), row(14)]}
    assert len(reads.asked) == 3


def test_a_cell_that_cannot_be_read_is_no_reset() -> None:
    assert read(Reads({"ada": [row(11)]}, {"ada": [(12, "{")]})) == {"ada": [row(11)]}


def test_a_customer_that_is_erased_all_the_time_is_given_up_after_some_reads() -> None:
    with pytest.raises(SlotReused, match="erased during each of 4"):
        read(Reads({"ada": [row(11)]}, *({"ada": [(12 + n, RESET)]} for n in range(9))))


def test_r18_a_mark_is_set_aside_and_is_no_reason_to_read_again() -> None:
    """Its offset is above every progress; a customer may have a mark alone."""
    reads = Reads({"ada": [row(3), MARK], "bob": [MARK]})

    found = read_both(reads)

    assert (found.rows, found.marks) == ({"ada": [row(3)]}, {"ada": MARK[1], "bob": MARK[1]})
    assert reads.asked == [["ada", "bob"]]


def test_r18_a_mark_that_a_reset_deleted_between_two_reads_is_gone() -> None:
    reset = (12, RESET)
    reads = Reads({"ada": [row(11), MARK], "bob": [MARK]}, {"ada": [reset]}, {"ada": [reset]})

    found = read_both(reads)

    assert (found.rows, found.marks) == ({"ada": [reset]}, {"bob": MARK[1]})
