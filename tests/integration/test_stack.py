"""The local servers, for real: started, half started, killed, reset, side by side; and the log's identity (R1)."""

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from cassandra.concurrent import execute_concurrent_with_args
from confluent_kafka.admin import NewPartitions, NewTopic

from common.errors import LogError, StackError
from common.servers.cassandra import connected, in_one_page
from common.servers.kafka import admin, topic_identity
from common.settings import Settings, StackSettings
from infra.local.stack import servers
from infra.schema import apply as schema
from infra.schema import topics
from tests.support import one_server
from tests.support.systems import free_ports, new_system, patient, patient_stack


@pytest.fixture(scope="module")
def other(scratch: Path) -> Iterator[Settings]:
    """A second home beside the first, with a blank in its name."""
    settings = Settings(home=scratch / "another home", stack=patient_stack())
    servers.up(settings)
    yield settings
    servers.reset(settings)


def pids(settings: Settings) -> dict[str, int | None]:
    return {server.name: server.pid for server in servers.status(settings)}


def states(settings: Settings) -> dict[str, str]:
    return {server.name: server.state for server in servers.status(settings)}


def test_up_again_leaves_running_servers_alone(stack: Settings) -> None:
    before, said = pids(stack), list[str]()
    servers.up(stack, said.append)
    assert pids(stack) == before
    assert [line for line in said if "already running" in line] == [
        f"{name}: already running (pid {pid})" for name, pid in before.items()
    ]


def test_two_homes_run_side_by_side(stack: Settings, other: Settings) -> None:
    assert set(states(stack).values()) == set(states(other).values()) == {"running"}
    assert not set(pids(stack).values()) & set(pids(other).values())


def test_later_commands_find_the_servers_by_their_home_alone(other: Settings) -> None:
    command = [str(Path(sys.executable).parent / "lambda360"), "stack", "status"]
    environ = {**os.environ, "LAMBDA360_HOME": str(other.home)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count("running")) == (0, 2)
    assert str(other.stack.port_base) in done.stdout


def test_other_ports_for_a_running_home_are_refused(other: Settings) -> None:
    moved = other.model_copy(update={"stack": StackSettings(port_base=free_ports())})
    with pytest.raises(StackError, match=rf"already runs in .* on ports from {other.stack.port_base}"):
        servers.up(moved)


def test_a_half_started_stack_gets_its_other_half(other: Settings) -> None:
    one_server.stop(other, "kafka")
    assert states(other) == {"cassandra": "running", "kafka": "stopped"}
    cassandra = one_server.pid_of(other, "cassandra")

    servers.up(other)

    assert states(other) == {"cassandra": "running", "kafka": "running"}
    assert one_server.pid_of(other, "cassandra") == cassandra


def test_a_killed_server_is_seen_and_started_anew(other: Settings) -> None:
    killed = one_server.send(other, "kafka", signal.SIGKILL)
    assert states(other)["kafka"] == "dead"

    said = list[str]()
    pid = one_server.start(other, "kafka", said.append)

    assert said[0] == "kafka: its pid file names a process that is gone; starting it again"
    assert pid != killed
    assert states(other)["kafka"] == "running"


def test_a_paused_server_is_silent_until_it_goes_on(other: Settings) -> None:
    one_server.send(other, "kafka", signal.SIGSTOP)
    assert states(other)["kafka"] == "silent"
    one_server.send(other, "kafka", signal.SIGCONT)
    assert states(other)["kafka"] == "running"


def test_servers_listen_on_loopback_only(stack: Settings) -> None:
    for pid in pids(stack).values():
        assert {address for address in listening(pid) if not address.startswith("127.")} == set()


def test_a_cluster_whose_id_begins_with_a_dash_is_made(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of 64 does, and Kafka's tool takes it for an option."""
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(bytes=b"\xf8" + 15 * b"\x01"))
    settings = Settings(home=scratch / "dash", stack=StackSettings(port_base=free_ports()))
    servers.SERVERS["kafka"].prepare(settings)
    made = next((settings.home / "kafka").rglob("meta.properties")).read_text()
    assert "cluster.id=-" in made


def test_a_statement_does_not_wait_for_the_acknowledgement_of_the_one_before_it(stack: Settings) -> None:
    """With Nagle's algorithm on, as the driver leaves it, one that follows another waits 40 ms."""
    with connected(patient(stack), keyspace=False) as session:
        holders = session.cluster.get_connection_holders()
        sockets = [connection._socket for holder in holders for connection in holder.get_connections()]
        assert sockets
        assert all(each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for each in sockets)


def test_data_survives_a_stop_and_a_kill_and_a_reset_deletes_it(other: Settings) -> None:
    schema.apply(other)
    identity = topic_identity(other, other.log.topic)
    with connected(patient(other)) as session:
        session.execute("INSERT INTO batch_pointer (name, value) VALUES ('current', '{}')")
    one_server.stop(other, "kafka")
    servers.down(other)
    assert set(states(other).values()) == {"stopped"}

    servers.up(other)

    assert topic_identity(other, other.log.topic) == identity
    with connected(patient(other)) as session:
        assert session.execute("SELECT value FROM batch_pointer WHERE name = 'current'").one().value == "{}"
    servers.reset(other)
    assert not other.home.exists()


def test_a_server_that_fails_to_start_says_its_last_words_and_leaves_nothing_running(scratch: Path) -> None:
    settings = Settings(home=scratch / "broken", stack=patient_stack())
    data = settings.home / "kafka" / "data"
    (settings.home).mkdir()
    (settings.home / ".lambda360-home").touch()
    data.mkdir(parents=True)
    (data / "meta.properties").write_text("version=none of ours\n")

    with pytest.raises(
        StackError, match=r"(?s)kafka ended while starting; the end of .*kafka\.(log|out):\n.*meta\.properties"
    ):
        one_server.start(settings, "kafka")

    assert states(settings)["kafka"] == "stopped"


def test_a_server_that_does_not_answer_in_time_is_given_up(scratch: Path) -> None:
    hasty = StackSettings(port_base=free_ports(), start_timeout_seconds=0.01)
    settings = Settings(home=scratch / "hasty", stack=hasty)
    with pytest.raises(
        StackError, match=r"cassandra did not answer within 0 s .*LAMBDA360_STACK_START_TIMEOUT_SECONDS"
    ):
        one_server.start(settings, "cassandra")
    assert states(settings)["cassandra"] == "stopped"


def test_the_schema_may_be_applied_again_and_keeps_the_log_on_record(system: Settings) -> None:
    """R1."""
    before = topic_identity(system, system.log.topic)
    schema.apply(system)
    assert topic_identity(system, system.log.topic) == before
    with connected(patient(system)) as session:
        assert session.execute("SELECT topic, topic_id, partitions FROM log_identity").all() == [
            (before.topic, before.topic_id, system.log.partitions)
        ]


def test_r11_no_read_mends_a_part_of_a_mutation_in_a_home_that_was_made_before_either(system: Settings) -> None:
    def declared() -> dict[str, str]:
        rows = session.execute(
            "SELECT table_name, read_repair FROM system_schema.tables WHERE keyspace_name = %s",
            (system.cassandra.keyspace,),
        )
        return {row.table_name: row.read_repair for row in rows}

    with connected(patient(system)) as session:
        made = declared()
        for table in ("speed_facts", "speed_deltas", "customer_alerts"):
            session.execute(f"ALTER TABLE {table} WITH read_repair = 'BLOCKING'")
        session.execute("DROP TABLE schema_changes")

        schema.apply(system)

        assert {table for table, how in made.items() if how == "NONE"} == {
            "speed_facts",
            "speed_deltas",
            "customer_alerts",
        }
        assert declared() == made


def test_r11_a_customers_deltas_are_read_in_one_page_however_many_they_are(system: Settings) -> None:
    """The driver's pages have 5,000 rows, and each is read at another moment."""
    with connected(patient(system)) as session:
        insert = session.prepare("INSERT INTO speed_deltas (customer_id, kafka_offset, value) VALUES ('ada', ?, 'x')")
        execute_concurrent_with_args(session, insert, [(offset,) for offset in range(5_100)])
        select = session.prepare("SELECT kafka_offset FROM speed_deltas WHERE customer_id = ? AND kafka_offset >= ?")

        paged = session.execute(select, ("ada", 0))
        whole = session.execute(in_one_page(select), ("ada", 0))

        assert paged.has_more_pages
        assert not whole.has_more_pages
        assert len(whole.current_rows) == 5_100


def test_a_topic_that_is_gone_is_not_made_anew_and_a_recreated_one_is_refused(system: Settings) -> None:
    """R1: no stored offset belongs to another log."""
    client, topic = admin(system), system.log.topic
    client.delete_topics([topic])[topic].result()
    wait_until(lambda: topic not in client.list_topics(timeout=10).topics)
    with pytest.raises(LogError, match="is on record but not in Kafka any more"):
        schema.apply(system)

    config = dict(topics.wanted(brokers=1, replicas=1)["topic"])
    client.create_topics([NewTopic(topic, system.log.partitions, 1, config=config)])[topic].result()
    wait_until(lambda: topic in client.list_topics(timeout=10).topics)
    with pytest.raises(
        LogError, match=r"is not the log this system was built on: recorded id .*`lambda360 stack reset`"
    ):
        schema.apply(system)


def test_a_topic_with_more_partitions_than_on_record_is_refused(system: Settings) -> None:
    """R1: the partition count never changes."""
    more = system.log.partitions + 1
    client, topic = admin(system), system.log.topic
    client.create_partitions([NewPartitions(topic, more)])[topic].result()
    wait_until(lambda: len(client.list_topics(timeout=10).topics[topic].partitions) == more)
    with pytest.raises(LogError, match=rf"with {system.log.partitions} partitions, found id .* with {more}"):
        schema.apply(system)


def test_another_partition_count_in_the_settings_is_told(stack: Settings) -> None:
    """R1."""
    system = new_system(stack, partitions=2)
    wrong = system.model_copy(update={"log": system.log.model_copy(update={"partitions": 3})})
    with pytest.raises(LogError, match=r"has 2 partitions, .* LAMBDA360_LOG_PARTITIONS is 3; set it to 2"):
        schema.apply(wrong)


def test_a_topic_with_the_producers_time_is_refused(system: Settings) -> None:
    """R1: LogAppendTime."""
    client, name = admin(system), f"{system.log.topic}_by_hand"
    client.create_topics([NewTopic(name, system.log.partitions, 1)])[name].result()
    wait_until(lambda: name in client.list_topics(timeout=10).topics)
    foreign = system.model_copy(update={"log": system.log.model_copy(update={"topic": name})})
    with pytest.raises(LogError, match=r"message\.timestamp\.type is CreateTime, not LogAppendTime"):
        schema.apply(foreign)


def wait_until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    """Brokers learn of a change of a topic a moment after it is acknowledged."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def listening(pid: int | None) -> set[str]:
    """The addresses on which a process listens."""
    sockets = psutil.Process(pid).net_connections("tcp")
    found = {socket.laddr.ip for socket in sockets if socket.status == psutil.CONN_LISTEN}
    assert found
    return found
