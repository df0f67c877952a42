"""R11, R12, R22: histories that ended with an answer that was not right, whatever seeds draw by now."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from common.log.events import validation_version
from tests.simulation import histories
from tests.simulation.kept_mutants import POINTER_FIRST
from tests.simulation.mutants import mutated
from tests.simulation.process import RULES
from tests.simulation.wrong import Wrong


def test_r11_r22_a_point_read_spreads_no_deletion_without_the_reset_that_made_it() -> None:
    asyncio.run(histories.a_point_read_of_a_reset())


def test_r11_r22_a_cut_inside_a_mutation_spreads_no_half_of_it() -> None:
    asyncio.run(histories.a_cut_inside_a_mutation())


def test_r12_a_lane_takes_its_start_and_its_from_offset_from_one_read() -> None:
    asyncio.run(histories.overlapping_starts())


def test_r12_r15_a_worker_never_passes_a_gap_since_a_request_may_know_of_no_loss() -> None:
    asyncio.run(histories.a_pointer_of_before_a_loss())


def test_r12_r15_the_history_sees_a_worker_that_jumps() -> None:
    with mutated("a worker jumps a gap"), pytest.raises(Wrong, match="at offset 3"):
        asyncio.run(histories.a_pointer_of_before_a_loss())


def test_r15_r22_a_kept_pin_has_no_progress_behind_a_loss_that_its_pointer_lacks() -> None:
    asyncio.run(histories.a_loss_beside_a_kept_pin())


def test_r15_r22_the_history_sees_a_pointer_that_is_read_before_progress() -> None:
    with mutated(POINTER_FIRST), pytest.raises(Wrong, match="at offset 3"):
        asyncio.run(histories.a_loss_beside_a_kept_pin())


def test_r12_r22_readers_of_both_releases_are_told_where_a_worker_of_a_newer_one_went_on() -> None:
    older, newer = asyncio.run(histories.another_release_goes_on())

    own = validation_version(RULES)
    assert older == (f"validation_version of the speed layer is {own} and newer, of this release {own}",)
    assert newer == (f"validation_version of the speed layer is {own} and newer, of this release newer",)


@pytest.mark.parametrize("history", [histories.a_point_read_of_a_reset, histories.a_cut_inside_a_mutation])
def test_r11_these_histories_see_tables_that_reads_repair(history: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with mutated("a point read repairs half a mutation"), pytest.raises(Wrong, match="at offset"):
        asyncio.run(history())


def test_r12_the_history_sees_a_from_offset_of_another_read() -> None:
    with mutated("from_offset from another read than the start"), pytest.raises(Wrong, match="but it is not so"):
        asyncio.run(histories.overlapping_starts())
