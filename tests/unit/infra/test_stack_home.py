"""The home folder: who may use it, who may delete it, and what it remembers."""

import os
from pathlib import Path

import pytest

from common.errors import StackError
from common.settings import Settings, StackSettings, load_settings
from infra.local.stack import servers
from infra.local.stack.home import Home
from speed_layer.operate.seats import Seat


def test_a_claimed_home_is_made_with_its_parents_and_remembers_its_ports(tmp_path: Path) -> None:
    home = Home(tmp_path / "a" / "b c")
    home.claim()
    (home.path / "settings.env").write_text("# mine\nLAMBDA360_LOG_CURRENCY=EUR\nLAMBDA360_STACK_PORT_BASE=2000\n")

    home.remember_ports(23_456)

    settings = load_settings({"LAMBDA360_HOME": str(home.path)})
    assert (settings.stack.port_base, settings.log.currency) == (23_456, "EUR")
    assert home.port_base == 23_456
    assert "# mine" in (home.path / "settings.env").read_text()


def test_a_folder_with_other_files_is_neither_used_nor_deleted(tmp_path: Path) -> None:
    precious = tmp_path / "thesis.txt"
    precious.write_text("mine")

    with pytest.raises(StackError, match=r"holds other files \(thesis\.txt\).*LAMBDA360_HOME"):
        servers.up(Settings(home=tmp_path))
    with pytest.raises(StackError, match=r"is not a lambda360 home .*nothing was deleted"):
        servers.reset(Settings(home=tmp_path))

    assert precious.read_text() == "mine"


def test_a_home_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match="Not a directory"):
        Home(tmp_path / "file" / "home").claim()


def test_two_commands_cannot_start_servers_of_one_home_at_once(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.claim()
    with home.locked(), pytest.raises(StackError, match=r"another command \(pid \d+\) is starting or stopping"):
        servers.up(Settings(home=home.path))
    with home.locked():
        pass


def test_stopping_and_resetting_what_never_ran_is_no_error(tmp_path: Path) -> None:
    said: list[str] = []
    servers.down(Settings(home=tmp_path / "none"), said.append)
    servers.reset(Settings(home=tmp_path / "none"), said.append)
    assert not (tmp_path / "none").exists()
    assert "nothing to stop" in said[0]


def test_reset_deletes_a_home_with_all_it_holds(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.claim()
    (home.path / "warehouse").mkdir()
    servers.reset(Settings(home=home.path))
    assert not home.path.exists()


def test_a_home_whose_workers_run_is_not_deleted_under_them(tmp_path: Path) -> None:
    """Two processes would hold one seat: the lock goes with its file."""
    home = Home(tmp_path / "home")
    home.claim()
    seat = Seat.take(home.path)
    seat.announce(started_at=0, metrics_port=0)
    with pytest.raises(StackError, match=rf"pid {os.getpid()}"):
        servers.reset(Settings(home=home.path))
    assert home.path.exists()
    seat.release()
    servers.reset(Settings(home=home.path))
    assert not home.path.exists()


def test_a_full_disk_stops_a_start_before_anything_runs(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", stack=StackSettings(min_free_disk_mib=10**12))
    with pytest.raises(StackError, match=r"only \d+ MiB are free .*LAMBDA360_STACK_MIN_FREE_DISK_MIB"):
        servers.up(settings)
    assert [server.state for server in servers.status(settings)] == ["stopped", "stopped"]
