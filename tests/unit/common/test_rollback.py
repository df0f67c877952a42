"""R17: a rollback is one compare-and-set, and the journal has it from before the change on."""

from typing import Any

import msgspec
import pytest

from common.algebra import pointer
from common.algebra.cut import Cut
from common.algebra.pointer import Plan, Pointer, Published
from common.errors import BatchError
from common.servers.journal import Entry
from common.servers.rollback import journalled


def batch(batch_id: int, slot: str) -> Published:
    return Published(batch_id, slot, Plan(1, Cut({0: batch_id}), "logic", "validation"), 5, 1, "sum")


class Keyspace:
    """The pointer's row and the journal, and a session on them; `steps` names what happened, in its order."""

    def __init__(self) -> None:
        self.text = pointer.encode(Pointer(2, 2, (batch(1, "a"), batch(2, "b"))))
        self.steps: list[str] = []
        self.entries: list[Entry] = []
        self.meanwhile: Pointer | None = None

    @property
    def current(self) -> int | None:
        return pointer.decode(self.text).current

    def execute(self, statement: Any, parameters: tuple[Any, ...]) -> Any:
        if not isinstance(statement, str):
            return Rows([(self.text,)])
        if "journal" in statement:
            entry = msgspec.json.decode(parameters[3], type=Entry)
            self.entries.append(entry)
            self.steps.append("done" if entry.done else "begun")
            if self.meanwhile is not None:
                self.text = pointer.encode(self.meanwhile)
            return Rows([])
        applied = self.text == parameters[2]
        if applied:
            self.text = parameters[0]
            self.steps.append("switched")
        return Rows([(applied,)])


class Rows(list[Any]):
    def one(self) -> Any:
        return self[0] if self else None


def rolled_back(keyspace: Keyspace, to: int | None = None) -> Any:
    return journalled(keyspace, to, at=7, who="ada@host", reason="wrong prices")


def test_r17_the_journal_has_it_before_and_after_the_switch() -> None:
    keyspace = Keyspace()

    done = rolled_back(keyspace)

    assert (keyspace.current, done.left, done.to.batch_id, done.changes_nothing) == (1, 2, 1, False)
    assert keyspace.steps == ["begun", "switched", "done"]
    entry = keyspace.entries[-1]
    assert (entry.who, entry.action, entry.what, entry.reason, entry.at) == (
        "ada@host", "rollback", "from batch 2 to batch 1", "wrong prices", 7,
    )  # fmt: skip
    assert entry.id == keyspace.entries[0].id


def test_a_batch_that_is_current_already_changes_nothing_and_is_not_journalled() -> None:
    keyspace = Keyspace()
    assert rolled_back(keyspace, 2).changes_nothing
    assert keyspace.steps == []


def test_a_batch_in_no_slot_is_refused_before_anything_is_written() -> None:
    keyspace = Keyspace()
    with pytest.raises(BatchError, match="batch 9 is in no slot"):
        rolled_back(keyspace, 9)
    assert keyspace.steps == []


def test_r17_a_batch_that_became_current_meanwhile_is_not_overwritten_and_the_journal_does_not_say_done() -> None:
    keyspace = Keyspace()
    keyspace.meanwhile = Pointer(3, 3, (batch(2, "b"), batch(3, "c")))
    with pytest.raises(BatchError, match="batch 3 became current meanwhile"):
        rolled_back(keyspace)
    assert (keyspace.current, keyspace.steps) == (3, ["begun"])
