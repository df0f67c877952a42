"""A run gives way: by its own niceness, and by its session's where nothing else is in that session."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from batch_layer import priority
from common.settings import BatchSettings, Settings
from infra.cli import lambda360

PROGRAM = """
import os, subprocess, sys
from pathlib import Path
from batch_layer.priority import give_way
for each in sys.argv[2:]:
    give_way(int(each), Path(sys.argv[1]))
sys.stdout.reconfigure(line_buffering=True)
mine = "import os; print(os.getpriority(os.PRIO_PROCESS, 0))"
exec(mine)
subprocess.run([sys.executable, "-c", mine])
"""


def given(autogroup: Path, *niceness: int, leads: bool = True, nice: int = 0) -> list[int]:
    """The niceness of a process that `nice` started, and of its child, once it gave way by each in turn."""
    command = ["nice", "-n", str(nice), sys.executable, "-c", PROGRAM, str(autogroup), *map(str, niceness)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, start_new_session=leads)
    return [int(each) for each in done.stdout.split()]


@pytest.mark.parametrize(
    ("asked", "nice", "session"),
    [
        ((0,), 0, 0),
        ((9,), 0, 0),
        ((9, 7), 0, 0),
        ((7, 9), 0, 0),
        ((19,), 0, 0),
        ((7,), 12, 0),
        ((0,), 12, 0),
        ((9,), 0, 15),
    ],
)
def test_niceness_is_raised_for_the_session_the_process_and_what_it_starts_and_never_lowered(
    tmp_path: Path, asked: tuple[int, ...], nice: int, session: int
) -> None:
    autogroup = tmp_path / "autogroup"
    autogroup.write_text(f"/autogroup-7 nice {session}\n")
    before = os.getpriority(os.PRIO_PROCESS, 0) + nice  # tests give way, too, to those that wait for servers
    highest = max(before, *asked)
    assert given(autogroup, *asked, nice=nice) == [highest, highest]
    assert int(autogroup.read_text().split()[-1]) == (max(session, highest) if any(asked) else session)


def test_a_session_that_others_are_in_is_left_as_it_is(tmp_path: Path) -> None:
    """It may be a terminal's, with the workers in it."""
    autogroup = tmp_path / "autogroup"
    autogroup.write_text("/autogroup-7 nice 0\n")
    assert given(autogroup, 19, leads=False) == [19, 19]
    assert autogroup.read_text() == "/autogroup-7 nice 0\n"


def test_a_system_without_autogroups_has_the_niceness_of_processes(tmp_path: Path) -> None:
    assert given(tmp_path / "autogroup", 19) == [19, 19]
    assert not (tmp_path / "autogroup").exists()


class GaveWay(Exception):
    """A command gave way, before it did anything."""


@pytest.mark.parametrize(
    "command",
    [
        "batch run",
        "batch maintain",
        "batch verify 1",
        "batch backfill --from 2026-01-01 --to 2026-01-02",
        "export {home}/customers.parquet --as-of 2026-01-01",
        "export --features {home}/features",
    ],
)
def test_every_command_that_recomputes_or_exports_gives_way_as_the_setting_says(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def give_way(niceness: int) -> None:
        raise GaveWay(niceness)

    monkeypatch.setattr(priority, "give_way", give_way)
    settings = Settings(home=tmp_path, batch=BatchSettings(niceness=11))
    done = CliRunner().invoke(lambda360, command.format(home=tmp_path).split(), obj=settings)
    assert isinstance(done.exception, GaveWay), done.output
    assert done.exception.args == (11,)
