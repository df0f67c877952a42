"""What `lambda360 speed wait` answers."""

from typing import Any

import pytest

from common.errors import NotApplied
from common.waiting import wait

NOW = 1_800_000_000_000_000


class Rows(tuple[Any, ...]):
    """A result, as the driver gives it."""

    __slots__ = ()

    def one(self) -> Any:
        return next(iter(self), None)


class Session:
    """Answers every query with the same progress rows, and has no pointer."""

    def __init__(self, *rows: tuple[int, int, int]) -> None:
        self.rows = [(p, 0, at, at, "v1", beat, beat) for p, at, beat in rows]

    def execute(self, statement: object, _: object) -> Any:
        return Rows(() if "batch_pointer" in str(getattr(statement, "query_string", statement)) else self.rows)


def waited(session: Any, ends: dict[int, int]) -> list[tuple[int, int]]:
    told: list[tuple[int, int]] = []
    wait(session, ends, timeout=0, clock=lambda: NOW, report=lambda *numbers: told.append(numbers))
    return told


def test_waiting_ends_when_every_partition_is_applied_below_its_end() -> None:
    assert waited(Session((0, 5, NOW), (1, 9, NOW)), {0: 5, 1: 8, 2: 0}) == [(0, 0)]


def test_waiting_in_vain_names_what_is_missing() -> None:
    with pytest.raises(NotApplied, match=r"partition 1 at 3 of 8$"):
        waited(Session((0, 5, NOW), (1, 3, NOW)), {0: 5, 1: 8})


def test_waiting_in_vain_without_a_heartbeat_says_that_no_worker_runs() -> None:
    for session in (Session(), Session((0, 3, NOW - 60_000_000))):
        with pytest.raises(NotApplied, match="no worker is running there: start one with `lambda360 speed run`"):
            waited(session, {0: 5})
