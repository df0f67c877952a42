"""Commands as child processes of a tester."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.settings import Settings
from tests.support.harness import Child, wait_until


@pytest.fixture
def hang_up_ignored() -> Iterator[None]:
    """As in a run that `nohup` or a scheduler started."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGHUP, before)


def ignores_hang_up(pid: int) -> bool:
    """Whether SIGHUP is among the signals that the kernel drops for this process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (mask,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigIgn:")]
    return bool(int(mask, 16) & 1 << signal.SIGHUP - 1)


@pytest.mark.usefixtures("hang_up_ignored")
def test_a_child_hears_a_hang_up_even_where_its_tester_ignores_it(tmp_path: Path) -> None:
    child = Child(Settings(home=tmp_path), "speed", "wait")
    try:
        wait_until(lambda: not ignores_hang_up(child.process.pid), 5, "SIGHUP has its default again")

        child.process.send_signal(signal.SIGHUP)

        assert child.process.wait(20) == -signal.SIGHUP
    finally:
        child.kill()
