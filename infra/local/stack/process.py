"""Processes that outlive the command that started them, told apart from any later owner of the same pid."""

import json
import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import psutil

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Process:
    """One process, by pid and by when it started: no other process ever equals it."""

    pid: int
    started: str
    """The machine's boot, and the clock ticks from then to the process's start."""

    @classmethod
    def of(cls, pid: int) -> "Process | None":
        """The living process with this pid; a zombie is none once its last thread has let go of its ports."""
        try:
            found = psutil.Process(pid)
            if found.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD) and found.num_threads() <= 1:
                return None
            # As a time of day the start would move whenever the machine's clock is set.
            ticks = round((found.create_time() - psutil.boot_time()) * os.sysconf("SC_CLK_TCK"))
        except psutil.NoSuchProcess:
            return None
        return cls(pid, f"{_BOOT.read_text(encoding='ascii').strip()}/{ticks}")

    @property
    def is_alive(self) -> bool:
        return Process.of(self.pid) == self

    def send(self, number: signal.Signals) -> bool:
        """Whether the signal was given to this very process; a later owner of the pid never gets it."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        try:
            if not self.is_alive:
                return False
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)
        return True

    def wait(self, seconds: float) -> bool:
        """Whether it ended within `seconds`; a child of ours is reaped."""
        deadline = time.monotonic() + seconds
        while self.is_alive:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        return True

    def ask_to_stop(self) -> None:
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)  # a paused process cannot hear SIGTERM

    def stop(self, seconds: float) -> bool:
        """It has ended; whether it did so by itself within `seconds` of being asked, and was not killed."""
        self.ask_to_stop()
        if self.wait(seconds):
            return True
        self.send(signal.SIGKILL)
        self.wait(seconds)
        return False


def spawn(command: Sequence[str], output: Path, environ: Mapping[str, str]) -> Process:
    """A new process in a session of its own, so that a terminal's Ctrl-C never reaches it; `output` starts afresh."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    pid = os.posix_spawn(
        command[0],
        list(command),
        dict(environ),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(output), flags, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    return Process.of(pid) or Process(pid, "ended at once")


def write_pid_file(path: Path, process: Process) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(process)), encoding="ascii")
    partial.replace(path)


def read_pid_file(path: Path) -> Process | None:
    """The process that the file names, dead or alive; an unreadable file counts as none."""
    try:
        return Process(**json.loads(path.read_text(encoding="ascii")))
    except (FileNotFoundError, ValueError, TypeError):
        return None
