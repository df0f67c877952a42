"""Slots: no two living processes share one; a killed process frees its own, a paused one keeps it (R12)."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

import msgspec
import pytest

from speed_layer.operate.seats import Slot, is_alive, is_waiting, member_id, records
from tests.support.harness import wait_until

HOLDER = """
import sys
from pathlib import Path
from speed_layer.operate.seats import Slot
home, *succeed = sys.argv[1:]
slot = Slot.succeed(Path(home), int(succeed[0])) if succeed else Slot.take(Path(home))
slot.record(started_at=1, metrics_port=0)
print(slot.number, flush=True)
sys.stdin.read()
"""


class Holder:
    """Another process that holds a slot until it is killed."""

    def __init__(self, home: Path, *succeed: int) -> None:
        command = [sys.executable, "-c", HOLDER, str(home), *map(str, succeed)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @cached_property
    def number(self) -> int:
        """Its slot; waited for."""
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def holders(tmp_path: Path) -> Iterator[list[Holder]]:
    with ExitStack() as ends:
        found = []
        for _ in range(2):
            found.append(Holder(tmp_path))
            ends.callback(found[-1].kill)
            assert found[-1].number >= 0
        yield found


def test_each_process_takes_the_lowest_free_slot(tmp_path: Path, holders: list[Holder]) -> None:
    """R12: two living processes never share a static member id."""
    slot = Slot.take(tmp_path)
    assert [holder.number for holder in holders] == [0, 1]
    assert (slot.number, slot.member) == (2, member_id(tmp_path, 2))
    slot.release()


def test_a_killed_process_frees_its_slot(tmp_path: Path, holders: list[Holder]) -> None:
    """SIGKILL leaves no lock behind: the replacement has the same member id."""
    holders[0].kill()
    slot = Slot.take(tmp_path)
    assert slot.member == member_id(tmp_path, 0)
    slot.release()


def test_a_paused_process_keeps_its_slot(tmp_path: Path, holders: list[Holder]) -> None:
    """SIGSTOP: when it wakes, nobody else uses its member id."""
    os.kill(holders[0].process.pid, signal.SIGSTOP)
    slot = Slot.take(tmp_path)
    assert slot.number == 2
    slot.release()


def test_a_successor_waits_for_the_slot_and_takes_it_when_the_holder_ends(
    tmp_path: Path, holders: list[Holder]
) -> None:
    """The rolling restart: it is ready before the holder is told to stop."""
    successor = Holder(tmp_path, 0)
    try:
        wait_until(lambda: is_waiting(tmp_path, successor.process.pid), 30, "the successor waits")
        assert is_alive(tmp_path, records(tmp_path)[0])
        holders[0].kill()
        assert successor.number == 0
        assert records(tmp_path)[0].pid == successor.process.pid
        assert not is_waiting(tmp_path, successor.process.pid)
    finally:
        successor.kill()


def test_a_record_tells_who_is_alive(tmp_path: Path, holders: list[Holder]) -> None:
    """A killed worker's record stays, and counts as dead."""
    assert [is_alive(tmp_path, record) for record in records(tmp_path)] == [True, True]
    holders[0].kill()
    assert [(record.slot, is_alive(tmp_path, record)) for record in records(tmp_path)] == [(0, False), (1, True)]


def test_a_later_owner_of_a_dead_workers_pid_is_not_taken_for_it(tmp_path: Path) -> None:
    """Only who holds the lock counts, and this very process does not."""
    slot = Slot.take(tmp_path)
    slot.record(started_at=1, metrics_port=0)
    (record,) = records(tmp_path)
    assert is_alive(tmp_path, record)
    assert not is_alive(tmp_path, msgspec.structs.replace(record, lock_fd=0))
    slot.release()


def test_a_released_slot_leaves_no_record(tmp_path: Path) -> None:
    slot = Slot.take(tmp_path)
    slot.record(started_at=5, metrics_port=9360, settled=True)
    assert [(record.pid, record.settled) for record in records(tmp_path)] == [(os.getpid(), True)]
    slot.release()
    assert records(tmp_path) == []
    again = Slot.take(tmp_path)
    assert again.number == 0
    again.release()


def test_an_unreadable_record_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers" / "0.json").write_text("{")
    assert records(tmp_path) == []


def test_the_member_id_differs_by_home_and_slot(tmp_path: Path) -> None:
    ids = {member_id(tmp_path, 0), member_id(tmp_path, 1), member_id(tmp_path / "other", 0)}
    assert len(ids) == 3
