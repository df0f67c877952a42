"""Changes are applied in order, each once on record, wherever a run is killed."""

from collections.abc import Sequence
from typing import Any

import pytest

from infra.schema import changes
from infra.schema.apply import apply_changes
from infra.schema.changes import Change, SchemaError
from tests.support.schema_fakes import Clock, Killed, MemoryLedger, terms

FIRST, SECOND = Change(1, "first", ("A", "B")), Change(2, "second", ("C",))


@pytest.fixture(autouse=True)
def release(monkeypatch: pytest.MonkeyPatch) -> None:
    has(monkeypatch, FIRST, SECOND)


def has(monkeypatch: pytest.MonkeyPatch, *known: Change) -> None:
    """The release's files are these."""
    monkeypatch.setattr(changes, "load", lambda: known)


def run(ledger: Any, owner: str = "ada") -> Sequence[str]:
    said: list[str] = []
    apply_changes(ledger, terms(ledger.clock, owner), said.append)
    return said


def test_all_changes_are_applied_in_order_and_recorded_with_who_applied_them() -> None:
    ledger = MemoryLedger(Clock())

    said = run(ledger)

    assert ledger.executed == ["A", "B", "C"]
    assert [(each.title, each.checksum) for each in ledger.recorded()] == [
        (FIRST.title, FIRST.checksum),
        (SECOND.title, SECOND.checksum),
    ]
    assert all("@" in each.applied_by and "with lambda360 " in each.applied_by for each in ledger.recorded())
    assert said == ["schema: 0001-first applied", "schema: 0002-second applied"]


def test_a_second_run_has_nothing_to_do_and_takes_no_lock() -> None:
    ledger = MemoryLedger(Clock())
    run(ledger)
    ledger.hold("bob", seconds=1_000)

    said = run(ledger)

    assert said == ["schema: nothing new, 0002-second is the last change"]
    assert len(ledger.executed) == 3


def test_what_a_later_release_adds_is_applied_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = MemoryLedger(Clock())
    run(ledger)
    has(monkeypatch, FIRST, SECOND, Change(3, "third", ("D",)))

    said = run(ledger)

    assert ledger.executed == ["A", "B", "C", "D"]
    assert said == ["schema: 0003-third applied"]


@pytest.mark.parametrize("kill_at", [0, 1, 2])
def test_killed_anywhere_the_next_run_finishes_it(kill_at: int) -> None:
    """A change without a record is applied again as a whole: its statements may be repeated."""
    ledger = MemoryLedger(Clock())
    ledger.kill_at = kill_at
    with pytest.raises(Killed):
        run(ledger)
    recorded = len(ledger.recorded())
    ledger.kill_at = None
    ledger.executed.clear()

    run(ledger, "bob")

    assert recorded == (1 if kill_at == 2 else 0)
    assert ledger.executed == (["C"] if kill_at == 2 else ["A", "B", "C"])
    assert [each.number for each in ledger.recorded()] == [1, 2]


def test_one_that_waited_applies_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = MemoryLedger(Clock())
    other = MemoryLedger(Clock())
    run(other)
    ledger.hold("bob", seconds=30)
    monkeypatch.setattr(ledger.clock, "sleep", lambda _: finish(ledger, other))

    said = run(ledger)

    assert ledger.executed == []
    assert "waiting for bob" in said[0]
    assert said[1:] == ["schema: nothing new, 0002-second is the last change"]


def finish(ledger: MemoryLedger, other: MemoryLedger) -> None:
    """The one that holds the lock has applied what the other one has, and is gone."""
    ledger.records, ledger.holder = other.records, None


@pytest.mark.parametrize("statements", [("A",), ("A", "B")])
def test_one_whose_lock_expired_in_a_statement_stops_there_and_records_nothing(
    monkeypatch: pytest.MonkeyPatch, statements: tuple[str, ...]
) -> None:
    has(monkeypatch, Change(1, "slow", statements))
    ledger = MemoryLedger(Clock(), statement_seconds=31)

    with pytest.raises(SchemaError, match="lost"):
        run(ledger)

    assert ledger.executed == ["A"]
    assert ledger.recorded() == []


def test_a_change_of_many_slow_statements_keeps_its_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    has(monkeypatch, Change(1, "long", tuple("ABCDEFGH")))
    ledger = MemoryLedger(Clock(), statement_seconds=10)

    run(ledger)

    assert len(ledger.recorded()) == 1


def test_a_changed_file_is_refused_before_anything_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = MemoryLedger(Clock())
    run(ledger)
    has(monkeypatch, Change(1, "first", ("A", "OTHER")), SECOND, Change(3, "third", ("D",)))

    with pytest.raises(SchemaError, match="0001-first is not what was applied"):
        run(ledger)

    assert len(ledger.executed) == 3


def test_an_older_release_says_what_it_does_not_know_and_applies_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = MemoryLedger(Clock())
    run(ledger)
    has(monkeypatch, FIRST)

    said = run(ledger)

    assert len(ledger.executed) == 3
    assert len(said) == 2
    assert said[0].startswith("schema: 0002-second is of a newer release, applied on 2026-11-25 00:00:00 UTC by ")
    assert said[1] == "schema: nothing new, 0001-first is the last change"
