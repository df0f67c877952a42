"""Kills every server below a folder, and deletes the folder, as soon as the process that owns it has ended.

`python -m tests.support.guard PID FOLDER`: a test run that is killed leaves neither servers nor files behind.
"""

import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from infra.local.stack.process import read_pid_file
from infra.paths import ROOT

STOP_SECONDS: Final = 10.0


def start(folder: Path) -> "subprocess.Popen[bytes]":
    """Starts a guard for `folder`, in a session of its own, that waits for the end of this process."""
    command = [sys.executable, "-m", "tests.support.guard", str(os.getpid()), str(folder)]
    return subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL, cwd=ROOT)


def clear(folder: Path) -> None:
    """Kills every server of every home below `folder`, and deletes the folder."""
    processes = [process for process in map(read_pid_file, folder.rglob("run/*.pid")) if process]
    for process in processes:
        process.send(signal.SIGKILL)
    for process in processes:
        process.wait(STOP_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)


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
