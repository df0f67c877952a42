"""R11, R22: histories that ended with an answer that was not right, whatever seeds draw by now."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.simulation import histories
from tests.simulation.judge import Wrong
from tests.simulation.mutants import mutated


def test_r11_r22_a_point_read_spreads_no_deletion_without_the_reset_that_made_it() -> None:
    asyncio.run(histories.a_point_read_of_a_reset())


def test_r11_r22_a_cut_inside_a_mutation_spreads_no_half_of_it() -> None:
    asyncio.run(histories.a_cut_inside_a_mutation())


@pytest.mark.parametrize("history", [histories.a_point_read_of_a_reset, histories.a_cut_inside_a_mutation])
def test_r11_these_histories_see_tables_that_reads_repair(history: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with mutated("a point read repairs half a mutation"), pytest.raises(Wrong, match="at offset"):
        asyncio.run(history())
