"""Of two that apply changes, one waits: for a bounded time, and not for the dead."""

import pytest

from infra.context import quiet
from infra.schema.changes import SchemaError
from infra.schema.lock import locked
from tests.support.schema_fakes import Clock, MemoryLedger, terms


def test_a_lock_is_held_inside_and_free_afterwards() -> None:
    clock = Clock()
    table = MemoryLedger(clock)

    with locked(table, terms(clock), quiet):
        inside = table.held_by()

    assert (inside, table.held_by()) == ("ada", None)


def test_it_is_free_after_a_failure() -> None:
    clock = Clock()
    table = MemoryLedger(clock)

    with pytest.raises(ZeroDivisionError), locked(table, terms(clock), quiet):
        raise ZeroDivisionError

    assert table.held_by() is None


def test_a_second_one_waits_says_once_for_whom_and_goes_on_when_a_dead_owners_lock_expires() -> None:
    clock, said = Clock(), list[str]()
    table = MemoryLedger(clock)
    table.hold("bob", seconds=30)

    with locked(table, terms(clock), said.append):
        waited = clock() - 1_000.0
        holder = table.held_by()

    assert 30 <= waited < 31
    assert holder == "ada"
    assert len(said) == 1
    assert "waiting for bob" in said[0]
    assert "expires within 30 s" in said[0]


def test_one_that_waits_gives_up_after_a_while_and_leaves_the_lock_alone() -> None:
    clock = Clock()
    table = MemoryLedger(clock)
    table.hold("bob", seconds=1_000)

    with pytest.raises(SchemaError, match="bob still applies changes"), locked(table, terms(clock), quiet):
        pass

    assert table.held_by() == "bob"
    assert 300 <= clock() - 1_000.0 < 301


def test_a_lock_that_is_kept_outlives_its_time() -> None:
    clock = Clock()
    table = MemoryLedger(clock)

    with locked(table, terms(clock), quiet) as lock:
        for _ in range(10):
            clock.sleep(20)
            lock.keep()
            assert table.held_by() == "ada"


def test_one_that_stood_still_too_long_goes_no_further_although_nobody_else_came() -> None:
    """Somebody may have come, and gone."""
    clock = Clock()
    table = MemoryLedger(clock)

    with locked(table, terms(clock), quiet) as lock:
        clock.sleep(31)
        with pytest.raises(SchemaError, match="lost"):
            lock.keep()


def test_one_that_lost_its_lock_does_not_release_the_next_ones() -> None:
    clock = Clock()
    table = MemoryLedger(clock)

    with locked(table, terms(clock), quiet):
        clock.sleep(31)
        table.take_lock("bob", 30)

    assert table.held_by() == "bob"
