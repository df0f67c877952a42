"""The demo's child processes: started, watched, stopped; one that ends by itself is noticed, with its last words."""

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
    """One `lambda360` command as a process of its own, its output in a file."""

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
                start_new_session=True,  # the terminal's Ctrl-C is ours to pass on
            )
        write_pid_file(self.record, Process.of(self.process.pid) or Process(self.process.pid, "ended at once"))

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def lines(self) -> list[str]:
        """What it wrote so far."""
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines()

    def failure(self) -> StackError:
        lines = self.lines()[-_LAST_LINES:]
        return StackError(
            f"{self.name} ended with code {self.process.returncode}; the end of {self.log}:\n  " + "\n  ".join(lines)
        )

    def stop(self) -> None:
        """It has ended: asked first, killed if it does not listen."""
        if not self.ended:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.record.unlink(missing_ok=True)


class Crew:
    """Those that must stay (`serve`, a speed worker), and those that come to an end (`batch run`)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._staying: list[Member] = []
        self._passing: list[Member] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for member in (*self._passing, *reversed(self._staying)):
            member.stop()

    def stay(self, name: str, *arguments: str) -> None:
        """The command runs until the demo ends."""
        self._staying.append(Member(self._settings, name, arguments))

    def begin(self, name: str, *arguments: str) -> Member:
        """The command is under way."""
        member = Member(self._settings, name, arguments)
        self._passing.append(member)
        return member

    def check(self) -> None:
        """Raises StackError if one of those that must stay has ended."""
        for member in self._staying:
            if member.ended:
                raise member.failure()

    def wait(self, done: Callable[[], bool], seconds: float) -> bool:
        """Whether `done` held within `seconds`. Raises StackError if one of those that must stay ends."""
        deadline = time.monotonic() + seconds
        while not done():
            self.check()
            if time.monotonic() > deadline:
                return False
            time.sleep(_GLANCE_SECONDS)
        return True

    def finish(self, member: Member, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> None:
        """`member` has ended well; `meanwhile` is called about once a second. Raises StackError otherwise."""
        deadline = time.monotonic() + seconds
        while not self.wait(lambda: member.ended, 1.0):
            if time.monotonic() > deadline:
                raise StackError(f"{member.name} is not done after {seconds:.0f} s; see {member.log}")
            meanwhile()
        if member.process.returncode != 0:
            raise member.failure()
        member.stop()
        self._passing.remove(member)
