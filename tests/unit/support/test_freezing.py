"""What is frozen does nothing more, from the moment that the tester goes on."""

import subprocess
import sys
from pathlib import Path

from tests.support.freezing import freeze, group
from tests.support.harness import wait_until

COUNTS = """
import sys, threading
def count(path):
    with open(path, "ab", buffering=0) as file:
        while True:
            file.write(b".")
for number in range(4):
    threading.Thread(target=count, args=(f"{sys.argv[1]}/{number}",)).start()
"""


def test_no_thread_of_a_frozen_process_goes_on(tmp_path: Path) -> None:
    """Also on a machine that is busy, which it makes it itself."""
    files = [tmp_path / str(number) for number in range(4)]
    for _ in range(5):
        child = subprocess.Popen([sys.executable, "-c", COUNTS, str(tmp_path)], start_new_session=True)
        try:
            wait_until(lambda: all(file.exists() and file.stat().st_size for file in files), 30, "all count")
            assert group(child.pid) == [child.pid]
            freeze(child.pid)
            seen = [file.stat().st_size for file in files]
            assert all([file.stat().st_size for file in files] == seen for _ in range(2000))
        finally:
            child.kill()
            child.wait()
        for file in files:
            file.unlink()


def test_what_has_ended_is_still(tmp_path: Path) -> None:
    child = subprocess.Popen(["true"], start_new_session=True)
    wait_until(lambda: Path(f"/proc/{child.pid}/stat").read_text().split()[2] == "Z", 30, "it has ended")
    freeze(child.pid)
    child.wait()
    assert group(child.pid) == []
