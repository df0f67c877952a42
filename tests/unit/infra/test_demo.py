"""The demo's own parts: its data, its files, its home, and its crew."""

import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from common.errors import StackError
from common.settings import Settings, StackSettings, load_settings
from infra.local.demo.changes import write_changes
from infra.local.demo.crew import Crew
from infra.local.demo.home import demo_settings, fresh_home
from infra.local.demo.people import Person, customer_to_show, leavers, people, person, write_profiles
from infra.local.demo.purchases import Purchase, parts, read_purchases
from tests.support.imports import dry_run, events_of

LINES = " customer_id  date number_of_cds  dollar_value\n 00001 19970101  1   11.77\n 00001 19971001  2   12.00\n"


def test_an_orders_id_is_its_row_number_for_equal_rows_are_two_orders(tmp_path: Path) -> None:
    path = tmp_path / "master.txt"
    path.write_text(LINES + " 00001 19971001  2   12.00\n")
    purchases = read_purchases(path)
    assert purchases[0] == Purchase("1", "00001", "1997-01-01", "11.77")
    assert [purchase.order_id for purchase in purchases] == ["1", "2", "3"]
    first, months = parts(purchases)
    assert (first, months) == ([purchases[0]], [purchases[1:]])


def test_missing_data_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="make setup"):
        read_purchases(tmp_path / "none")


def orders_of(count: int) -> list[Purchase]:
    """Orders as the first part has them, of 997 customers."""
    return [Purchase(str(n), f"{n % 997:05}", f"1997-0{1 + n % 9}-03", f"{n}.95") for n in range(count)]


def test_every_file_of_the_third_act_can_be_imported_whole(tmp_path: Path) -> None:
    for change in write_changes(tmp_path, orders_of(400)):
        summary = dry_run(change.path, change.kind)

        assert summary.rejected == 0
        assert summary.sent > 0


def test_r5b_the_third_act_takes_back_orders_tickets_and_profiles_and_brings_some_back(tmp_path: Path) -> None:
    changes = {change.kind: change.path for change in write_changes(tmp_path, orders_of(4_000))}
    taken_back = {kind: dry_run(path, kind).retracted for kind, path in changes.items()}

    assert {kind for kind, count in taken_back.items() if count} == {"order", "ticket", "profile"}
    assert brought_back(changes["order"])


def brought_back(path: Path) -> set[str]:
    """The orders of the file that are taken back by one version and brought back by a later one."""
    taken_back: dict[str, int] = {}
    found = set[str]()
    for event in events_of(path, "order"):
        assert event.image is not None
        if event.image.retracted:
            taken_back[event.entity_id] = event.image.version
        elif event.image.version > taken_back.get(event.entity_id, event.image.version):
            found.add(event.entity_id)
    return found


def test_r5a_made_up_profiles_are_the_same_in_every_run_and_can_be_imported_whole(tmp_path: Path) -> None:
    orders = orders_of(400)

    summary = dry_run(write_profiles(tmp_path, orders), "profile")

    assert (summary.rejected, summary.sent) == (0, len(people(orders)))
    assert person("00042") == Person("00042", "1996-07-26", "", "GB", "gift", "1997-09-30T18:00:00Z")
    assert person("00043").birth_date == "1975-03-23"


def test_the_customer_whom_the_demo_shows_at_its_end_has_a_profile_that_stays() -> None:
    orders = orders_of(4_000)

    shown = customer_to_show(orders)

    assert shown in people(orders)
    assert shown not in leavers(orders)


@pytest.fixture
def users(tmp_path: Path) -> Settings:
    """A user's settings whose first ports are taken."""
    return Settings(home=tmp_path / "var", stack=StackSettings(port_base=32_100))


def test_the_demo_has_a_home_of_its_own_on_free_ports_and_its_commands_need_only_that_home(users: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 32_103))
        taken.listen()
        with fresh_home(demo_settings(users)) as settings:
            assert settings.home == users.home / "demo"
            assert settings.stack.port_base == 32_110
            there = load_settings({"LAMBDA360_HOME": str(settings.home)})
            assert there.serving.port == settings.serving.port


def test_an_earlier_demos_home_is_emptied_and_the_users_own_is_left_alone(users: Settings) -> None:
    mine = users.home / "warehouse" / "mine"
    mine.mkdir(parents=True)
    with fresh_home(demo_settings(users)) as settings:
        (settings.home / "old").touch()
    with fresh_home(demo_settings(users)) as settings:
        assert not (settings.home / "old").exists()
    assert mine.exists()


def test_two_demos_in_one_home_are_refused(users: Settings) -> None:
    with (
        fresh_home(demo_settings(users)),
        pytest.raises(StackError, match="already"),
        fresh_home(demo_settings(users)),
    ):
        pass


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Makes the `lambda360` command, as the crew starts it, a script."""

    def make(script: str) -> None:
        path = tmp_path / "lambda360"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))

    return make


def test_a_worker_that_ends_by_itself_is_noticed_with_its_last_words(
    users: Settings, command: Callable[[str], None]
) -> None:
    command("echo the store is gone; exit 7")
    with fresh_home(demo_settings(users)) as settings, Crew(settings) as crew:
        crew.serve("speed-worker", "speed", "run")
        with pytest.raises(StackError, match=r"(?s)speed-worker ended with code 7.*the store is gone"):
            crew.wait(lambda: False, 10)


def test_whatever_is_still_running_is_stopped_at_the_end(users: Settings, command: Callable[[str], None]) -> None:
    command("exec sleep 100")
    with fresh_home(demo_settings(users)) as settings:
        with Crew(settings) as crew:
            member = crew.begin("batch", "batch", "run")
            record = json.loads(member.record.read_text())
            assert record["pid"] == member.process.pid
        assert member.ended
        assert not member.record.exists()
