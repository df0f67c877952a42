"""Starts, signals and stops processes that outlive the command that started them."""

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
    """A process, identified by its pid and its start: a later process with the same pid does not equal it."""

    pid: int
    started: str
    """The id of the machine's boot, and the clock ticks from the boot to the process's start."""

    @classmethod
    def of(cls, pid: int) -> "Process | None":
        """Returns the living process with this pid, or None.

        A zombie counts as living while other threads of it run, since they hold its ports.
        """
        try:
            found = psutil.Process(pid)
            if found.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD) and found.num_threads() <= 1:
                return None
            # A time of day would change whenever the machine's clock is set.
            ticks = round((found.create_time() - psutil.boot_time()) * os.sysconf("SC_CLK_TCK"))
        except psutil.NoSuchProcess:
            return None
        return cls(pid, f"{_BOOT.read_text(encoding='ascii').strip()}/{ticks}")

    @property
    def is_alive(self) -> bool:
        return Process.of(self.pid) == self

    def send(self, number: signal.Signals) -> bool:
        """Sends the signal, never to a later process with the same pid. Returns False if the process has ended."""
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
        """Waits until the process has ended, and reaps it if it is a child. Returns False after `seconds`."""
        deadline = time.monotonic() + seconds
        while self.is_alive:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        return True

    def ask_to_stop(self) -> None:
        """Sends SIGTERM, also to a paused process."""
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)  # a paused process handles SIGTERM only once it goes on

    def stop(self, seconds: float) -> bool:
        """Asks the process to stop, and kills it after `seconds`. Returns whether it ended without being killed."""
        self.ask_to_stop()
        if self.wait(seconds):
            return True
        self.send(signal.SIGKILL)
        self.wait(seconds)
        return False


def spawn(command: Sequence[str], output: Path, environ: Mapping[str, str]) -> Process:
    """Starts a process whose output replaces the content of the file `output`.

    It has a session of its own, so that a terminal's Ctrl-C does not reach it.
    """
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
    """Writes the process to the file, at once or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(process)), encoding="ascii")
    partial.replace(path)


def read_pid_file(path: Path) -> Process | None:
    """Returns the process that the file names, alive or not; None if there is no file, or it cannot be read."""
    try:
        return Process(**json.loads(path.read_text(encoding="ascii")))
    except (FileNotFoundError, ValueError, TypeError):
        return None
