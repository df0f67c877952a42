"""Seats: no two living processes share one; a killed process frees its own, a paused one keeps it (R12)."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

import msgspec
import pytest

from infra.paths import ROOT
from speed_layer.operate.seats import Seat, is_alive, is_waiting, member_id, occupants
from tests.support.freezing import freeze
from tests.support.harness import wait_until

HOLDER = """
import sys
from pathlib import Path
from speed_layer.operate.seats import Seat
home, *succeed = sys.argv[1:]
seat = Seat.succeed(Path(home), int(succeed[0])) if succeed else Seat.take(Path(home))
seat.announce(started_at=1, metrics_port=0)
print(seat.number, flush=True)
sys.stdin.read()
"""


class Holder:
    """Another process that holds a seat until it is killed."""

    def __init__(self, home: Path, *succeed: int) -> None:
        command = [sys.executable, "-c", HOLDER, str(home), *map(str, succeed)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @cached_property
    def number(self) -> int:
        """Its seat; waited for."""
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


def test_each_process_takes_the_lowest_free_seat(tmp_path: Path, holders: list[Holder]) -> None:
    """R12: two living processes never share a static member id."""
    seat = Seat.take(tmp_path)
    assert [holder.number for holder in holders] == [0, 1]
    assert (seat.number, seat.member) == (2, member_id(tmp_path, 2))
    seat.release()


def test_a_killed_process_frees_its_seat(tmp_path: Path, holders: list[Holder]) -> None:
    """SIGKILL leaves no lock behind: the replacement has the same member id."""
    holders[0].kill()
    seat = Seat.take(tmp_path)
    assert seat.member == member_id(tmp_path, 0)
    seat.release()


def test_a_paused_process_keeps_its_seat(tmp_path: Path, holders: list[Holder]) -> None:
    """SIGSTOP: when it wakes, nobody else uses its member id."""
    freeze(holders[0].process.pid)
    seat = Seat.take(tmp_path)
    assert seat.number == 2
    seat.release()


def test_a_successor_waits_for_the_seat_and_takes_it_when_the_holder_ends(
    tmp_path: Path, holders: list[Holder]
) -> None:
    """The rolling restart: it is ready before the holder is told to stop."""
    successor = Holder(tmp_path, 0)
    try:
        wait_until(lambda: is_waiting(tmp_path, successor.process.pid), 30, "the successor waits")
        assert is_alive(tmp_path, occupants(tmp_path)[0])
        holders[0].kill()
        assert successor.number == 0
        assert occupants(tmp_path)[0].pid == successor.process.pid
        assert not is_waiting(tmp_path, successor.process.pid)
    finally:
        successor.kill()


def test_a_seats_file_tells_who_is_alive(tmp_path: Path, holders: list[Holder]) -> None:
    """A killed worker's file stays, and counts as dead."""
    assert [is_alive(tmp_path, each) for each in occupants(tmp_path)] == [True, True]
    holders[0].kill()
    assert [(each.seat, is_alive(tmp_path, each)) for each in occupants(tmp_path)] == [(0, False), (1, True)]


def test_a_later_owner_of_a_dead_workers_pid_is_not_taken_for_it(tmp_path: Path) -> None:
    """Only who holds the lock counts, and this very process does not."""
    seat = Seat.take(tmp_path)
    seat.announce(started_at=1, metrics_port=0)
    (occupant,) = occupants(tmp_path)
    assert is_alive(tmp_path, occupant)
    assert not is_alive(tmp_path, msgspec.structs.replace(occupant, lock_fd=0))
    seat.release()


def test_a_released_seat_has_no_occupant(tmp_path: Path) -> None:
    seat = Seat.take(tmp_path)
    seat.announce(started_at=5, metrics_port=9360, settled=True)
    assert [(each.pid, each.settled) for each in occupants(tmp_path)] == [(os.getpid(), True)]
    seat.release()
    assert occupants(tmp_path) == []
    again = Seat.take(tmp_path)
    assert again.number == 0
    again.release()


def test_an_unreadable_file_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers" / "0.json").write_text("{")
    assert occupants(tmp_path) == []


def test_workers_and_parents_of_an_earlier_release_find_the_lock_and_the_occupant_of_a_seat(tmp_path: Path) -> None:
    """Two releases run side by side in a rolling restart: other names would give two workers one member id (R12)."""
    seat = Seat.take(tmp_path)
    seat.announce(started_at=5, metrics_port=9360)

    folder = tmp_path / "workers"
    assert sorted(path.name for path in folder.iterdir()) == ["0.json", "0.lock"]
    assert msgspec.json.decode((folder / "0.json").read_bytes()).items() >= {"slot": 0, "pid": os.getpid()}.items()
    seat.release()


def test_the_member_id_differs_by_home_and_seat(tmp_path: Path) -> None:
    ids = {member_id(tmp_path, 0), member_id(tmp_path, 1), member_id(tmp_path / "other", 0)}
    assert len(ids) == 3


KEEPING = """
import os, sys
from pathlib import Path
from speed_layer.operate.seats import KeptSeat, Seat
home, *kept = sys.argv[1:]
if not kept:
    seat = Seat.take(Path(home))
    os.execv(sys.executable, [sys.executable, "-c", sys.orig_argv[2], home, str(seat.keep())])
seat = Seat.kept(Path(home), KeptSeat.parse(kept[0]))
seat.announce(started_at=1, metrics_port=0)
print(seat.number, flush=True)
sys.stdin.read()
"""


def test_r13_a_process_that_executes_itself_again_keeps_its_seat_all_the_while(tmp_path: Path) -> None:
    """Nobody else could take it in between, and whoever looks sees the holder alive."""
    command = [sys.executable, "-c", KEEPING, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as again:
        assert again.stdin is not None
        assert again.stdout is not None
        assert again.stdout.readline() == b"0\n"

        other = Seat.take(tmp_path)
        (occupant,) = occupants(tmp_path)

        assert (other.number, occupant.pid, is_alive(tmp_path, occupant)) == (1, again.pid, True)
        other.release()
        again.stdin.close()
