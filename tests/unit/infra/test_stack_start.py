"""What stands in a start's way is told before anything is started."""

import os
import re
import socket
from pathlib import Path

import pytest

from common.errors import StackError
from common.settings import Settings, StackSettings
from infra.local.stack import java, ports, servers
from infra.schema import changes, topics
from tests.simulation import cql
from tests.support.systems import free_ports


@pytest.mark.parametrize(("offset", "use"), [(0, "kafka, clients"), (2, "cassandra, clients"), (4, "cassandra, jmx")])
def test_a_taken_port_is_named_with_its_owner_and_the_setting(tmp_path: Path, offset: int, use: str) -> None:
    settings = Settings(home=tmp_path / "home", stack=StackSettings(port_base=free_ports()))
    port = settings.stack.port_base + offset
    with socket.create_server(("127.0.0.1", port)), pytest.raises(StackError) as told:
        servers.up(settings)
    for part in (f"{port} ({use})", f"pid {os.getpid()}", "LAMBDA360_STACK_PORT_BASE"):
        assert part in str(told.value)
    assert [server.state for server in servers.status(settings)] == ["stopped", "stopped"]


def test_a_port_is_free_again_once_its_owner_has_gone() -> None:
    port = free_ports()
    with socket.create_server(("127.0.0.1", port)):
        assert not ports.is_free(port)
        assert ports.is_open(port)
    assert ports.is_free(port)
    assert ports.owner(port) == "an unknown process"


def test_a_missing_java_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "_candidates", lambda environ: iter([Path("/bin/true"), Path("/none/java")]))
    with pytest.raises(StackError, match=r"Java 17 was not found; run `make setup`"):
        java.find_java()


def test_missing_jars_are_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(java, "JARS", tmp_path)
    with pytest.raises(StackError, match=r"the jars of kafka are not in .*; run `make setup`"):
        java.jars("kafka")


def test_the_schema_holds_every_table_of_the_contract() -> None:
    assert changes.tables() == {
        "speed_facts",
        "speed_deltas",
        "customer_alerts",
        "dead_letters",
        "speed_progress",
        "batch_view_a",
        "batch_view_b",
        "batch_view_c",
        "customer_rankings_a",
        "customer_rankings_b",
        "customer_rankings_c",
        "ranked_slots",
        "batch_pointer",
        "batches",
        "batch_owner",
        "declared_shapes",
        "log_identity",
        "notifications",
        "journal",
    }


def test_r11_the_tables_of_a_mutation_are_declared_without_read_repair_for_new_homes_and_those_that_exist() -> None:
    declarations = [re.match(r"ALTER TABLE (\w+) WITH read_repair = 'NONE'", each) for each in changes.statements()]
    assert [each[1] for each in declarations if each] == ["speed_facts", "speed_deltas", "customer_alerts"]
    simulated = {name for name, table in cql.tables().items() if not table.is_repaired}
    assert {re.sub(r"_g\d+$", "", name) for name in simulated} == {"speed_facts", "speed_deltas", "customer_alerts"}


@pytest.mark.parametrize("setting", ["topic", "errors_topic"])
def test_both_topics_are_kept_for_ever_in_the_order_of_the_brokers_clock(setting: str) -> None:
    """R1."""
    config = topics.wanted(brokers=1, replicas=1)[setting]
    assert config["message.timestamp.type"] == "LogAppendTime"
    assert (config["cleanup.policy"], config["retention.ms"], config["retention.bytes"]) == ("delete", "-1", "-1")
