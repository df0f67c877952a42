"""Kills every server and command of homes below a folder, and deletes it, once the process that owns it has ended.

`python -m tests.support.guard PID FOLDER`: a test run that is killed leaves neither processes nor files behind.
"""

import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from infra.local.stack.process import read_pid_file
from infra.paths import ROOT

STOP_SECONDS: Final = 10.0


def start(folder: Path) -> "subprocess.Popen[bytes]":
    """Starts a guard for `folder`, in a session of its own, that waits for the end of this process."""
    command = [sys.executable, "-m", "tests.support.guard", str(os.getpid()), str(folder)]
    return subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL, cwd=ROOT)


def clear(folder: Path) -> None:
    """Kills every server and every command of every home below `folder`, and deletes the folder."""
    processes = [process for process in map(read_pid_file, folder.rglob("run/*.pid")) if process]
    for process in processes:
        process.send(signal.SIGKILL)
    commands = list(_commands(folder))
    for command in commands:
        with suppress(psutil.NoSuchProcess):
            command.kill()
    for process in processes:
        process.wait(STOP_SECONDS)
    psutil.wait_procs(commands, STOP_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)


def _commands(folder: Path) -> Iterator[psutil.Process]:
    """The processes that were told a home below `folder`, as every command of a test is; not this one."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            home = process.environ().get("LAMBDA360_HOME")
            if home is not None and folder in Path(home).parents and process.pid != os.getpid():
                yield process


def main() -> None:
    owner = int(sys.argv[1])
    folder = Path(sys.argv[2])
    try:
        handle = os.pidfd_open(owner)
        select.select([handle], [], [])
    except ProcessLookupError:
        pass
    clear(folder)


if __name__ == "__main__":
    main()
