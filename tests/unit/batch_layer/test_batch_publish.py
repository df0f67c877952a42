"""R17 and R19: the pointer changes by compare-and-set, whatever becomes of its answers."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from cassandra import OperationTimedOut

from batch_layer.view import publish
from common.algebra import pointer
from common.algebra.cut import Cut
from common.algebra.pointer import Plan, Pointer, Published
from common.errors import BatchError, ClaimLost
from common.servers import rollback


class Row:
    """The pointer's row, and a session on it that may lose answers or requests, or let another run go first."""

    def __init__(self) -> None:
        self.value: str | None = None
        self.faults: list[str] = []
        self.meanwhile: list[Callable[[], None]] = []

    @property
    def pointer(self) -> Pointer:
        return pointer.decode(self.value)

    def execute(self, statement: Any, parameters: tuple[Any, ...]) -> Any:
        if not isinstance(statement, str):
            row = None if self.value is None else (self.value,)
            return SimpleNamespace(one=lambda: row)
        if self.meanwhile:
            self.meanwhile.pop(0)()
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "request lost":
            raise OperationTimedOut
        after, before = (parameters[1], None) if "INSERT" in statement else (parameters[0], parameters[2])
        applied = self.value == before
        if applied:
            self.value = after
        if fault == "answer lost":
            raise OperationTimedOut
        return SimpleNamespace(one=lambda: (applied,))


def plan(end: int, snapshot: int = 1) -> Plan:
    return Plan(snapshot, Cut({0: end}), "logic", "validation")


def finished(row: Row, end: int, snapshot: int = 1) -> Published:
    """A whole run, without the work."""
    mine = publish.claim(row, plan(end, snapshot))
    done = Published(mine.batch_id, mine.slot, mine.plan, end, 1, "sum")
    publish.publish(row, mine, done)
    return done


@pytest.mark.parametrize("faults", [[], ["answer lost"], ["request lost"], ["request lost", "answer lost"]])
def test_a_claim_and_a_publication_are_made_once_whatever_answers_are_lost(faults: list[str]) -> None:
    row = Row()
    for number in (1, 2, 3):
        row.faults = [*faults]
        mine = publish.claim(row, plan(number))
        assert (mine.batch_id, row.pointer.claims) == (number, (mine,))
        done = Published(mine.batch_id, mine.slot, mine.plan, number, 1, "sum")
        row.faults = [*faults]
        publish.publish(row, mine, done)
        assert (row.pointer.published, row.pointer.claims, row.pointer.last_batch_id) == (done, (), number)


def test_a_claim_that_another_one_precedes_gets_the_next_id() -> None:
    row = Row()
    row.meanwhile = [lambda: row.__setattr__("value", pointer.encode(pointer.claim(Pointer(), plan(1, 7))[0]))]
    assert publish.claim(row, plan(1)).batch_id == 2


def test_a_lost_claim_publishes_nothing() -> None:
    """R17: whether another run took the claim over, or finished it, or did so between reading and writing."""
    row = Row()
    mine = publish.claim(row, plan(1))
    done = Published(mine.batch_id, mine.slot, mine.plan, 99, 1, "sum")
    row.meanwhile = [lambda: None, lambda: None]
    finished(row, 1)
    with pytest.raises(ClaimLost):
        publish.publish(row, mine, done)
    late = publish.claim(row, plan(2))
    row.meanwhile = [lambda: row.__setattr__("value", pointer.encode(pointer.claim(row.pointer, plan(3))[0]))]
    with pytest.raises(ClaimLost):
        publish.publish(row, late, Published(late.batch_id, late.slot, late.plan, 1, 1, "sum"))
    assert row.pointer.current == 1


def test_a_plan_older_than_the_current_batch_is_not_claimed() -> None:
    row = Row()
    finished(row, 5)
    with pytest.raises(ClaimLost, match="batch 1 of another run is newer"):
        publish.claim(row, plan(4))
    assert row.pointer.claims == ()


def test_a_store_that_never_decides_is_given_up() -> None:
    row = Row()
    row.faults = ["request lost"] * 100
    with pytest.raises(BatchError, match="run this again"):
        publish.claim(row, plan(1))


def test_r18_a_run_is_not_audited_against_a_newer_batch_that_an_operator_went_on_to_again() -> None:
    """Rolled back to 5, a run of 7 claims, rolled on to 10: no deltas lead from what is served to the run's view."""
    row = Row()
    older, newer = finished(row, 5), finished(row, 10)
    rollback.roll_back(row, rollback.planned_rollback(row, older.batch_id))
    mine = publish.claim(row, plan(7))
    publish.check_newest(publish.read(row).published, mine.plan)

    rollback.roll_back(row, rollback.planned_rollback(row, newer.batch_id))

    publish.check_held(row, mine)
    with pytest.raises(ClaimLost, match="batch 2 of another run is newer"):
        publish.check_newest(publish.read(row).published, mine.plan)
