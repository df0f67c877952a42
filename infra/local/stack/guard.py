"""Stops every server below a folder, and deletes the folder, as soon as the process that owns it has ended.

`python -m infra.local.stack.guard PID FOLDER`: a test run that is killed leaves neither servers nor files behind.
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

STOP_SECONDS: Final = 10.0


def set_on(folder: Path) -> "subprocess.Popen[bytes]":
    """A guard of its own session, which watches this process for `folder`."""
    command = [sys.executable, "-m", "infra.local.stack.guard", str(os.getpid()), str(folder)]
    return subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL)


def clear(folder: Path) -> None:
    """No server of any home below `folder` runs, and the folder is gone: the data was not worth a gentle stop."""
    processes = [process for process in map(read_pid_file, folder.rglob("run/*.pid")) if process]
    for process in processes:
        process.send(signal.SIGKILL)
    for process in processes:
        process.wait(STOP_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    parent, folder = int(sys.argv[1]), Path(sys.argv[2])
    try:
        handle = os.pidfd_open(parent)
        select.select([handle], [], [])
    except ProcessLookupError:
        pass
    clear(folder)


if __name__ == "__main__":
    main()
