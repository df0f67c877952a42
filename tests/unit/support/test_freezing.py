"""What is frozen does nothing more, from the moment that the tester goes on."""

import subprocess
import sys
from pathlib import Path

from tests.support.freezing import freeze, group
from tests.support.harness import wait_until

THREADS = 8
COUNTS = f"""
import threading
def count():
    while True:
        sum(range(1000))
for _ in range({THREADS - 1}):
    threading.Thread(target=count).start()
count()
"""


def states(pid: int) -> list[str]:
    """The state of each thread, as `ps` has it."""
    threads = Path(f"/proc/{pid}/task").glob("*/stat")
    return [thread.read_text().rpartition(")")[2].split()[0] for thread in threads]


def test_no_thread_of_a_frozen_process_goes_on() -> None:
    """Right after SIGSTOP was sent some still run, each of the five times."""
    for _ in range(5):
        child = subprocess.Popen([sys.executable, "-c", COUNTS], start_new_session=True)
        try:
            wait_until(lambda pid=child.pid: len(states(pid)) == THREADS, 30, "all count")  # type: ignore[misc]
            assert group(child.pid) == [child.pid]
            freeze(child.pid)
            assert states(child.pid) == ["T"] * THREADS
        finally:
            child.kill()
            child.wait()


def test_what_has_ended_is_still() -> None:
    child = subprocess.Popen(["true"], start_new_session=True)
    wait_until(lambda: states(child.pid) == ["Z"], 30, "it has ended")
    freeze(child.pid)
    child.wait()
    assert group(child.pid) == []
