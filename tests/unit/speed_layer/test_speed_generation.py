"""R13: a worker notices that the pointer names another generation than its own, and keeps its seat over the change."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner

from common.algebra.generation import Generation
from common.algebra.pointer import Pointer, encode
from common.errors import StoreUnavailable
from common.settings import Settings
from infra.cli import lambda360
from infra.operate.workers import children
from speed_layer.operate.seats import KeptSeat
from speed_layer.progress import generation
from speed_layer.progress.generation import GenerationWatch


class Store:
    """Gives one pointer after the other; an error is raised."""

    def __init__(self, *found: Pointer | StoreUnavailable | None) -> None:
        self.driver = self
        self.found = list(found)

    def prepare(self, text: str) -> "Store":
        assert text == "SELECT value FROM batch_pointer WHERE name = ?"
        return self

    def bind(self, values: Sequence[object]) -> str:
        return str(*values)

    async def execute(self, name: str) -> list[Any]:
        assert name == "current"
        found = self.found.pop(0)
        if isinstance(found, StoreUnavailable):
            raise found
        return [] if found is None else [type("Row", (), {"value": encode(found)})]


def switched_to(*found: Pointer | StoreUnavailable | None, mine: int = 1) -> Generation:
    session: Any = Store(*found)
    return asyncio.run(GenerationWatch(session, Generation(mine)).until_switch())


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "LOOK_SECONDS", 0)


def test_without_a_pointer_and_while_cassandra_is_away_a_worker_goes_on_in_its_generation() -> None:
    moved = Pointer(generation=2, generation_since=77)

    assert switched_to(None, StoreUnavailable("away"), Pointer(rebuilding=2), moved) == Generation(2, 77)


def test_a_worker_of_an_abandoned_number_moves_to_the_generation_that_is_served() -> None:
    assert switched_to(Pointer(generation=2), mine=3) == Generation(2)


@pytest.mark.parametrize("parent", [(), ("--parent", "7")])
def test_after_a_switch_the_worker_executes_itself_again_in_its_seat(
    monkeypatch: pytest.MonkeyPatch, parent: tuple[str, ...]
) -> None:
    """The supervisor sees the same process, and the group the same member."""
    executed: list[list[str]] = []
    monkeypatch.setattr("speed_layer.run.run", lambda *arguments, **__: arguments[-1](KeptSeat(3, 11)))
    monkeypatch.setattr(children, "end_with", lambda parent: None)
    monkeypatch.setattr(os, "execv", lambda program, arguments: executed.append(arguments))

    CliRunner().invoke(lambda360, ["speed", "run", *parent, "--succeed", "3"], obj=Settings(), standalone_mode=False)

    ((program, *arguments),) = executed
    assert Path(program).name == "lambda360"
    assert arguments == ["speed", "run", *parent, "--keep", "3:11"]


def test_a_worker_that_was_stopped_executes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speed_layer.run.run", lambda *_, **__: None)
    monkeypatch.setattr(os, "execv", None)

    result = CliRunner().invoke(lambda360, ["speed", "run"], obj=Settings(), standalone_mode=False)

    assert (result.return_value, result.exception) == (0, None)


HANGS: Final = """
import os, sys, time
from pathlib import Path
from speed_layer.operate.seats import Seat
from speed_layer.run import _bound_the_end, _start_over

def again(seat):
    program = "import os; print('again', {number}, os.fstat({fd}).st_ino)"
    os.execv(sys.executable, [sys.executable, "-c", program.format(number=seat.number, fd=seat.lock_fd)])

seat = Seat.take(Path(sys.argv[1]))
_bound_the_end(0.05, lambda: _start_over(seat, again))
time.sleep(60)
"""


def test_a_worker_whose_clients_hang_after_a_switch_executes_itself_again_all_the_same(tmp_path: Path) -> None:
    """It neither ends as if it had been stopped, nor frees its seat."""
    command = [sys.executable, "-c", HANGS, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    lock = tmp_path / "workers" / "0.lock"
    assert (done.stdout, done.stderr, done.returncode) == (f"again 0 {lock.stat().st_ino}\n", "", 0)
