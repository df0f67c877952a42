"""The pointer's row, which is compared and set, its operator, and what no change of it may do."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cassandra import OperationTimedOut

from batch_layer.view import publish
from common.algebra import pointer
from common.algebra.generation import generation_of
from common.algebra.pointer import Pointer
from tests.simulation.wrong import Wrong

if TYPE_CHECKING:
    from tests.simulation.world import World

decoded: Final = lru_cache(maxsize=10_000)(pointer.decode)
"""The pointer in a row's text; seeds meet the same texts again and again."""


class PointerRow(NamedTuple):
    value: str


class Found(NamedTuple):
    rows: Sequence[Any]

    def one(self) -> Any:
        return self.rows[0] if self.rows else None


class PointerSession:
    """The one row that is compared and set; an answer may be lost, and others may come in between."""

    def __init__(self, world: "World", *, calm: bool = False) -> None:
        self._world, self._calm = world, calm

    def execute(self, statement: Any, parameters: Sequence[Any]) -> Found:
        text, world = getattr(statement, "query_string", statement), self._world
        if text.startswith("SELECT value FROM batch_pointer"):
            return Found([] if world.pointer is None else [PointerRow(world.pointer)])
        if text.startswith("INSERT INTO batch_pointer"):
            expected, wanted = None, parameters[1]
        elif text.startswith("UPDATE batch_pointer"):
            wanted, _, expected = parameters
        else:
            raise NotImplementedError(text)
        return self._set(expected, wanted)

    def _set(self, expected: str | None, wanted: str) -> Found:
        world = self._world
        fate = 1.0 if self._calm else world.random.random()
        if fate < 0.05:
            world.count("pointer timed out before effect")
            raise OperationTimedOut
        if fate > 0.9 and not self._calm:
            roll_back(world)
        applied = world.pointer == expected
        if applied:
            before, after = decoded(expected), decoded(wanted)
            check_change(before, after)
            world.pointer = wanted
            world.touch_all()
            if generation_of(before) != generation_of(after):
                world.switched(before, after)
        if fate < 0.1:
            world.count("pointer timed out after effect")
            raise OperationTimedOut
        return Found([(applied,)])


def check_change(before: Pointer, after: Pointer) -> None:
    """R13, R18: only the rebuild that holds the claim moves the generation; its marks last as long as it. Raises Wrong.

    A loss that was accepted stays accepted (R15).
    """
    if after.generation != before.generation and (
        after.generation != before.rebuilding or after.current != before.current
    ):
        raise Wrong(f"the generation went from {before.generation} to {after.generation}: {before}, {after}")
    if after.generation == before.generation and before.marked and not after.marked:
        raise Wrong(f"the pointer says no more that there are marks: {before}, {after}")
    if after.last_generation < before.last_generation or len(after.losses) < len(before.losses):
        raise Wrong(f"a generation's number may be given twice, or a loss was forgotten: {before}, {after}")


def roll_back(world: "World") -> None:
    """An operator points at another complete batch, if there is one."""
    complete = decoded(world.pointer).complete
    if not complete:
        return
    switch_to(world, world.random.choice(complete).batch_id)
    world.count("rollback")


def switch_to(world: "World", batch_id: int) -> None:
    """A complete batch becomes the current one."""
    session: Any = PointerSession(world, calm=True)
    publish.transition(session, lambda before: pointer.switch(before, batch_id))
