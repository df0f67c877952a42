"""R11, R12, R22: histories that ended with an answer that was not right, whatever seeds draw by now."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from common.log.events import validation_version
from tests.simulation import histories, kept_mutants
from tests.simulation.mutants import mutated
from tests.simulation.process import RULES
from tests.simulation.wrong import Wrong


def test_r11_r22_a_point_read_spreads_no_deletion_without_the_reset_that_made_it() -> None:
    asyncio.run(histories.a_point_read_of_a_reset())


def test_r11_r22_a_cut_inside_a_mutation_spreads_no_half_of_it() -> None:
    asyncio.run(histories.a_cut_inside_a_mutation())


def test_r12_a_lane_takes_its_start_and_its_from_offset_from_one_read() -> None:
    asyncio.run(histories.overlapping_starts())


def test_r12_a_worker_that_was_stopped_for_long_says_nothing_of_deltas_that_expired_meanwhile() -> None:
    asyncio.run(histories.a_worker_that_was_stopped_for_long())

    with mutated("a heartbeat is younger than what is known of expiry"), pytest.raises(Wrong, match="at offset 1"):
        asyncio.run(histories.a_worker_that_was_stopped_for_long())


def test_r12_r15_a_worker_never_passes_a_gap_since_a_request_may_know_of_no_loss() -> None:
    asyncio.run(histories.a_pointer_of_before_a_loss())


def test_r12_r15_the_history_sees_a_worker_that_jumps() -> None:
    with mutated("a worker jumps a gap"), pytest.raises(Wrong, match="at offset 3"):
        asyncio.run(histories.a_pointer_of_before_a_loss())


BY_A_KEPT_PIN = {
    kept_mutants.POINTER_FIRST: histories.a_loss_beside_a_kept_pin,
    kept_mutants.HOLDS: histories.a_loss_after_a_kept_pin,
    kept_mutants.REUSED: histories.a_slot_reused_under_a_kept_pin,
    kept_mutants.TOO_OLD: histories.a_pin_that_is_kept_too_long,
    kept_mutants.LATE_PROGRESS: histories.progress_beside_a_kept_pins_deltas,
}
"""By the mutant of kept pins that the history shows."""


@pytest.mark.parametrize("mutant", BY_A_KEPT_PIN)
def test_r15_r20_r22_a_history_by_a_kept_pin_ends_well_and_sees_its_mutant(mutant: str) -> None:
    asyncio.run(BY_A_KEPT_PIN[mutant]())

    with mutated(mutant), pytest.raises(Wrong, match="offset"):
        asyncio.run(BY_A_KEPT_PIN[mutant]())


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
