"""Stops processes in the middle of what they do."""

import os
import signal
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

STILL_SECONDS: Final = 30.0
_STOPPED: Final = frozenset("TtZX")
"""States in /proc of threads that do nothing: stopped, traced, or ended."""


def freeze(*pids: int) -> None:
    """Sends SIGSTOP to the processes, and returns once none of their threads runs any more.

    A signal is sent at once, and heard later: on a busy machine a server answers one more request, or ten.
    """
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    wait_until_still(pids)


def wait_until_still(pids: Collection[int]) -> None:
    """Returns once no thread of the processes, which were sent SIGSTOP, runs any more. Raises TimeoutError."""
    until = time.monotonic() + STILL_SECONDS
    while running := [pid for pid in pids if not _is_still(pid)]:
        if time.monotonic() > until:
            raise TimeoutError(f"SIGSTOP, and {STILL_SECONDS:.0f} s later these processes still run: {running}")
        time.sleep(0.001)


def group(leader: int) -> list[int]:
    """Returns the processes of a process group."""
    found = []
    for each in Path("/proc").iterdir():
        with suppress(ValueError, ProcessLookupError):
            if os.getpgid(int(each.name)) == leader:
                found.append(int(each.name))
    return found


def _is_still(pid: int) -> bool:
    """Whether no thread of the process runs; so it is with one that has ended."""
    for thread in Path(f"/proc/{pid}/task").glob("*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            if thread.read_text(errors="replace").rpartition(")")[2].split()[0] not in _STOPPED:
                return False
    return True
