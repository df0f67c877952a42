"""Starts, watches and stops the demo's child processes; reports the end of the log of one that fails."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from common.errors import StackError
from common.settings import PREFIX, Settings, environment_of
from infra.local.stack.process import Process, write_pid_file

STOP_SECONDS: Final = 20.0
_GLANCE_SECONDS: Final = 0.1
_LAST_LINES: Final = 20


class Member:
    """One `lambda360` command, run as a process of its own with its output in a file."""

    def __init__(self, settings: Settings, name: str, arguments: tuple[str, ...]) -> None:
        self.name = name
        self.log = settings.home / "logs" / f"demo-{name}.log"
        self.record = settings.home / "run" / f"demo-{name}.pid"
        environ = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        command = [str(Path(sys.executable).parent / "lambda360"), *arguments]
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                env={**environ, **environment_of(settings)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # the terminal's Ctrl-C goes to the demo, which stops its children in order
            )
        write_pid_file(self.record, Process.of(self.process.pid) or Process(self.process.pid, "ended at once"))

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return self.process.poll() is not None

    def lines(self) -> list[str]:
        """Returns the lines that it has written so far."""
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines()

    def wrote(self, start: str) -> bool:
        """Returns whether a line that it has written begins with `start`."""
        return any(line.startswith(start) for line in self.lines())

    def failure(self) -> StackError:
        """Returns the error for a process that ended and should not have, with the end of its log."""
        lines = self.lines()[-_LAST_LINES:]
        return StackError(
            f"{self.name} ended with code {self.process.returncode}; the end of {self.log}:\n  " + "\n  ".join(lines)
        )

    def stop(self) -> None:
        """Asks the process to stop, and kills it if it has not ended after STOP_SECONDS. Idempotent."""
        if not self.ended:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.record.unlink(missing_ok=True)


class Crew:
    """Services, which must run until the demo ends (`serve`, a speed worker), and tasks, which end (`batch run`)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._services: list[Member] = []
        self._tasks: list[Member] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for member in (*self._tasks, *reversed(self._services)):
            member.stop()

    def serve(self, name: str, *arguments: str) -> None:
        """Starts the command as a service."""
        self._services.append(Member(self._settings, name, arguments))

    def begin(self, name: str, *arguments: str) -> Member:
        """Starts the command as a task."""
        member = Member(self._settings, name, arguments)
        self._tasks.append(member)
        return member

    def check(self) -> None:
        """Raises StackError if a service has ended."""
        for member in self._services:
            if member.ended:
                raise member.failure()

    def wait(self, done: Callable[[], bool], seconds: float) -> bool:
        """Waits until `done`, and returns False if it is not within `seconds`. Raises StackError if a service ends."""
        deadline = time.monotonic() + seconds
        while not done():
            self.check()
            if time.monotonic() > deadline:
                return False
            time.sleep(_GLANCE_SECONDS)
        return True

    def finish(self, member: Member, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Waits until the task has ended, and calls `meanwhile` about once a second.

        Raises StackError if it has not ended within `seconds`, if its exit code is not 0, or if a service ends.
        """
        deadline = time.monotonic() + seconds
        while not self.wait(lambda: member.ended, 1.0):
            if time.monotonic() > deadline:
                raise StackError(f"{member.name} has not ended after {seconds:.0f} s; see {member.log}")
            meanwhile()
        if member.process.returncode != 0:
            raise member.failure()
        member.stop()
        self._tasks.remove(member)
