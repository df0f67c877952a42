"""Starts workers as child processes of `lambda360 speed run --workers N`, and ends them with their parent."""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final, NoReturn

from common.errors import WorkerError
from common.settings import Settings, environment_of
from speed_layer.operate import seats

_PR_SET_PDEATHSIG: Final = 1


class Children:
    """A `Nursery` of real processes. They get SIGTERM when this process ends, whatever ended it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._environ = {k: v for k, v in os.environ.items() if not k.startswith("LAMBDA360_")}
        self._environ |= environment_of(settings)

    def start(self, succeed: int | None = None) -> "subprocess.Popen[bytes]":
        command = [str(Path(sys.executable).parent / "lambda360"), "speed", "run", "--parent", str(os.getpid())]
        command += [] if succeed is None else ["--succeed", str(succeed)]
        return subprocess.Popen(command, env=self._environ, process_group=0)  # a terminal signals the parent only

    def seat_of(self, pid: int) -> int | None:
        return next((occupant.seat for occupant in self._occupants(pid)), None)

    def is_settled(self, pid: int) -> bool:
        return any(occupant.settled for occupant in self._occupants(pid))

    def is_waiting(self, pid: int) -> bool:
        return seats.is_waiting(self._settings.home, pid)

    def _occupants(self, pid: int) -> list[seats.Occupant]:
        """Returns the seats recorded by this process. Ignores records of an earlier process with the same pid."""
        home = self._settings.home
        return [each for each in seats.occupants(home) if each.pid == pid and seats.is_alive(home, each)]


def execute_again(parent: int | None, seat: seats.KeptSeat) -> NoReturn:
    """Replaces this worker by a new one in the same process: it keeps its parent, its environment and its seat."""
    program = str(Path(sys.executable).parent / "lambda360")
    of_parent = () if parent is None else ("--parent", str(parent))
    os.execv(program, [program, "speed", "run", *of_parent, "--keep", str(seat)])  # noqa: S606 # no shell is meant


def end_with(parent: int) -> None:
    """Asks the kernel to send this process SIGTERM when the main thread of `parent` ends, whatever ended it.

    Raises WorkerError if the parent has ended already.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent:
        raise WorkerError(f"process {parent}, which started this worker, has ended")
