"""A worker as the child of `lambda360 speed run --workers N`: how it is started, and how it ends with its parent."""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from common.errors import WorkerError
from common.settings import Settings, environment_of
from speed_layer.operate import seats

_PR_SET_PDEATHSIG: Final = 1


class Children:
    """`Nursery` of real processes, which end when this process does, however that ends."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._environ = {k: v for k, v in os.environ.items() if not k.startswith("LAMBDA360_")}
        self._environ |= environment_of(settings)

    def start(self, succeed: int | None = None) -> "subprocess.Popen[bytes]":
        command = [str(Path(sys.executable).parent / "lambda360"), "speed", "run", "--parent", str(os.getpid())]
        command += [] if succeed is None else ["--succeed", str(succeed)]
        return subprocess.Popen(command, env=self._environ, process_group=0)  # a terminal's signals are the parent's

    def seat_of(self, pid: int) -> int | None:
        return next((occupant.seat for occupant in self._occupants(pid)), None)

    def is_settled(self, pid: int) -> bool:
        return any(occupant.settled for occupant in self._occupants(pid))

    def is_waiting(self, pid: int) -> bool:
        return seats.is_waiting(self._settings.home, pid)

    def _occupants(self, pid: int) -> list[seats.Occupant]:
        """What the process says of itself; what an earlier owner of its pid left does not count."""
        home = self._settings.home
        return [each for each in seats.occupants(home) if each.pid == pid and seats.is_alive(home, each)]


def end_with(parent: int) -> None:
    """From now on this process gets SIGTERM when `parent` ends. Raises WorkerError if it has ended already.

    The kernel sends it when the parent's main thread ends, whatever ended it; no thread of ours has to look.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent:
        raise WorkerError(f"process {parent}, which started this worker, has ended")
