"""The running system as a tester holds it: `lambda360` commands as child processes, and bounded waiting."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from common.settings import Settings
from tests.support.freezing import group, wait_until_still
from tests.support.release import THIS, Release

HEAR_HANG_UP: Final = ("env", "--default-signal=HUP")
"""A prefix of a command: an ignored signal would be inherited, and a tester that `nohup` started ignores SIGHUP."""


class Child:
    """A `lambda360` command in a process group of its own, its output in a file."""

    def __init__(self, settings: Settings, *arguments: str, name: str = "", release: Release = THIS) -> None:
        self.name = name or "-".join(arguments)
        self.output = settings.home / "logs" / f"{self.name}-{time.monotonic_ns()}.log"
        self.output.parent.mkdir(parents=True, exist_ok=True)
        command = [*HEAR_HANG_UP, str(Path(sys.executable).parent / "lambda360"), *arguments]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                env=release.environment(settings),
                cwd=release.code,  # an older release's Spark workers import what lies where they were started
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the command and all of its own children; one that has ended is left alone.

        After SIGSTOP none of them runs any more.
        """
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
            if number is signal.SIGSTOP:
                wait_until_still(group(self.process.pid))

    def kill(self) -> None:
        self.signal_group(signal.SIGKILL)
        self.process.wait()

    def stop(self, timeout: float = 40.0) -> int:
        """End the command with SIGTERM, and with SIGKILL if it does not; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode

    def finish(self, timeout: float) -> str:
        """Its output once it has ended well. Raises AssertionError with the output's tail otherwise."""
        code = self.process.wait(timeout)
        text = self.output.read_text(errors="replace")
        assert code == 0, f"{self.name} ended with {code}:\n{text[-3000:]}"
        return text

    def tail(self, characters: int = 2000) -> str:
        return self.output.read_text(errors="replace")[-characters:]


@contextmanager
def running(settings: Settings, *arguments: str, name: str = "") -> Iterator[Child]:
    """A child that is stopped at the end, whatever happened."""
    child = Child(settings, *arguments, name=name)
    try:
        yield child
    finally:
        child.stop()


def wait_until(condition: Callable[[], bool], timeout: float, what: str, every: float = 0.1) -> float:
    """Seconds until `condition` held. Raises TimeoutError, which says `what` never came."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > timeout:
            raise TimeoutError(f"not within {timeout:.0f} s: {what}")
        time.sleep(every)
    return time.monotonic() - started
