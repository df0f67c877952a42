"""The schema on a real Cassandra and Kafka: applied in order, recorded, by one at a time, and finished after a kill."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cassandra.cluster import Session

from common.errors import StoreUnavailable
from common.servers.cassandra import connected
from common.servers.kafka import admin
from common.settings import CassandraSettings, Settings, environment_of
from infra.local.doctor import _schema as doctors_view
from infra.schema import apply as schema
from infra.schema import changes, look
from infra.schema.changes import Change, SchemaError
from infra.schema.ledger import Ledger
from infra.schema.look import State
from tests.support.harness import Child, wait_until
from tests.support.systems import bare_system, patient

KNOWN = changes.load()
TITLES = [change.title for change in KNOWN]


@pytest.fixture
def bare(stack: Settings) -> Settings:
    return bare_system(stack)


@pytest.fixture
def cluster(stack: Settings) -> Iterator[Session]:
    """A session without a keyspace."""
    with connected(patient(stack), keyspace=False) as session:
        yield session


def apply(settings: Settings) -> list[str]:
    said: list[str] = []
    schema.apply(settings, said.append)
    return said


def applied(titles: list[str]) -> list[str]:
    return [f"schema: {title} applied" for title in titles]


def states(settings: Settings) -> list[tuple[str, State]]:
    return [(line.title, line.state) for line in look.listing(settings)]


def tables_of(session: Session, settings: Settings) -> set[str]:
    rows = session.execute(
        "SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s", (settings.cassandra.keyspace,)
    )
    return {row.table_name for row in rows}


def with_a_third(monkeypatch: pytest.MonkeyPatch, *statements: str) -> Change:
    """The release has one change more."""
    later = Change(len(KNOWN) + 1, "later", statements)
    monkeypatch.setattr(changes, "load", lambda: (*KNOWN, later))
    return later


def test_a_new_deployment_gets_every_table_and_topic_and_what_was_applied_is_on_record(
    bare: Settings, cluster: Session
) -> None:
    before = states(bare)

    first, second = apply(bare), apply(bare)

    assert before == [(title, State.PENDING) for title in TITLES]
    assert first[:-1] == applied(TITLES)
    assert second[:-1] == [f"schema: nothing new, {TITLES[-1]} is the last change"]
    assert first[-1] == second[-1]
    assert states(bare) == [(title, State.APPLIED) for title in TITLES]
    assert tables_of(cluster, bare) == {*changes.tables(), "schema_changes"}
    assert {bare.log.topic, bare.log.deltas_topic} <= admin(bare).list_topics(timeout=10).topics.keys()
    record = look.listing(bare)[0].record
    assert record is not None
    assert abs(record.applied_at.timestamp() - time.time()) < 120


def test_a_dry_run_prints_what_is_to_be_made_and_makes_nothing(bare: Settings, cluster: Session) -> None:
    first = Child(bare, "schema", "apply", "--dry-run", name="dry").finish(60)
    assert tables_of(cluster, bare) == set()
    assert not {bare.log.topic} & admin(bare).list_topics(timeout=10).topics.keys()
    apply(bare)
    second = Child(bare, "schema", "apply", "--dry-run", name="dry").finish(60)

    assert f"CREATE KEYSPACE IF NOT EXISTS {bare.cassandra.keyspace} " in first
    assert [line for line in first.splitlines() if line.startswith("-- 0")] == [f"-- {title}" for title in TITLES]
    assert f"-- topic {bare.log.topic}: 4 partitions, replication 1\n" in first
    assert second == "-- nothing new\n"


def test_of_three_at_once_one_applies_and_the_others_wait(bare: Settings) -> None:
    with ThreadPoolExecutor(3) as threads:
        said = [run.result() for run in [threads.submit(apply, bare) for _ in range(3)]]

    worked = [lines for lines in said if lines[0] == applied(TITLES)[0]]
    waited = [lines for lines in said if lines not in worked]
    assert [lines[:-1] for lines in worked] == [applied(TITLES)]
    assert all(lines[-2] == f"schema: nothing new, {TITLES[-1]} is the last change" for lines in waited)
    assert len({lines[-1] for lines in said}) == 1
    assert states(bare) == [(title, State.APPLIED) for title in TITLES]


def test_a_home_that_was_made_before_changes_were_recorded_is_taken_up_with_its_data(
    bare: Settings, cluster: Session
) -> None:
    """Its tables exist, and nothing is on record."""
    apply(bare)
    name = bare.cassandra.keyspace
    cluster.execute(f"DROP TABLE {name}.schema_changes")
    cluster.execute(f"INSERT INTO {name}.batch_pointer (name, value) VALUES ('current', 'kept')")

    said = apply(bare)

    assert said[:-1] == applied(TITLES)
    assert states(bare) == [(title, State.APPLIED) for title in TITLES]
    assert cluster.execute(f"SELECT value FROM {name}.batch_pointer").one().value == "kept"


def test_a_file_that_was_changed_since_it_was_applied_is_refused(
    bare: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(bare)
    other = Change(1, KNOWN[0].name, (*KNOWN[0].statements, "CREATE TABLE IF NOT EXISTS more (k int PRIMARY KEY)"))
    monkeypatch.setattr(changes, "load", lambda: (other, *KNOWN[1:]))

    with pytest.raises(SchemaError, match=rf"{TITLES[0]} is not what was applied .* only ever added to"):
        apply(bare)

    assert states(bare)[0] == (TITLES[0], State.CHANGED)


def test_a_change_of_a_newer_release_is_named_and_left_alone(
    bare: Settings, cluster: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as newer_release:
        later = with_a_third(newer_release, "ALTER TABLE batches ADD IF NOT EXISTS note text")
        assert apply(bare)[:-1] == applied([*TITLES, later.title])

    said = apply(bare)

    assert said[0].startswith(f"schema: {later.title} is of a newer release, applied on 2")
    assert states(bare)[-1] == (later.title, State.NEWER)
    assert cluster.execute(f"SELECT note FROM {bare.cassandra.keyspace}.batches").one() is None


def test_a_statement_that_cassandra_refuses_is_told_and_not_recorded(
    bare: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        with_a_third(broken, "CREATE TABLE IF NOT EXISTS fine (k int PRIMARY KEY)", "ALTER TABLE nowhere ADD a int")
        with pytest.raises(SchemaError, match=r"refused `ALTER TABLE nowhere ADD a int`: .*nowhere"):
            apply(bare)
    assert [state for _, state in states(bare)] == [State.APPLIED] * len(KNOWN)

    later = with_a_third(monkeypatch, "CREATE TABLE IF NOT EXISTS fine (k int PRIMARY KEY)")

    assert apply(bare)[:-1] == applied([later.title])


def test_a_run_that_was_killed_is_finished_by_the_next_once_its_lock_has_expired(
    bare: Settings, cluster: Session, tmp_path: Path
) -> None:
    hasty = bare.model_copy(update={"cassandra": CassandraSettings(keyspace=bare.cassandra.keyspace)})
    child = killable(hasty, lock_seconds=4)
    wait_until(lambda: len(tables_of(cluster, bare) - {"schema_changes"}) >= 2, 60, "some tables are made")
    child.kill()
    child.wait(10)
    left = tables_of(cluster, bare)

    said = apply(bare)

    assert left < {*changes.tables(), "schema_changes"}
    assert said[0].startswith("schema: waiting for ")
    assert f"process {child.pid} " in said[0]
    assert said[1:-1] == applied(TITLES)
    assert tables_of(cluster, bare) == {*changes.tables(), "schema_changes"}


def killable(settings: Settings, lock_seconds: int) -> subprocess.Popen[bytes]:
    """A process that applies the schema; whoever waits for its lock does so for that long after its death."""
    program = (
        "import os; from dataclasses import replace; from common.settings import load_settings; "
        "from infra.schema import apply as schema; terms = schema._terms; "
        f"schema._terms = lambda settings: replace(terms(settings), lock_seconds={lock_seconds}); "
        "schema.apply(load_settings(os.environ))"
    )
    return subprocess.Popen([sys.executable, "-c", program], env={**os.environ, **environment_of(settings)})


def test_a_keyspace_without_its_tables_is_told_with_what_adds_them(bare: Settings, cluster: Session) -> None:
    """To a worker of a release whose schema was not applied yet, and by the doctor."""
    apply(bare)
    cluster.execute(f"DROP TABLE {bare.cassandra.keyspace}.schema_changes")
    pending = list(doctors_view(cluster, bare))
    apply(bare)
    well = next(doctors_view(cluster, bare))
    cluster.execute(f"DROP TABLE {bare.cassandra.keyspace}.dead_letters")
    gone = list(doctors_view(cluster, bare))

    assert [(finding.well, "run `lambda360 schema apply`" in finding.detail) for finding in pending] == [(False, True)]
    assert (well.well, well.detail) == (True, f"every change is applied, up to {TITLES[-1]}")
    assert [(finding.well, "gone: dead_letters" in finding.detail) for finding in gone] == [(False, True)]
    with pytest.raises(StoreUnavailable, match="`lambda360 schema apply` adds it"), connected(bare) as session:
        session.execute("SELECT * FROM dead_letters")


def test_a_lock_is_its_owners_until_it_is_released_or_expires(bare: Settings, cluster: Session) -> None:
    ledger = Ledger(cluster, bare)
    ledger.make()
    ledger.make()

    assert ledger.take_lock("ada", 60) is None
    assert ledger.take_lock("ada", 60) is None
    assert ledger.take_lock("bob", 60) == "ada"
    assert not ledger.keep_lock("bob", 60)
    assert not ledger.record(KNOWN[0], "bob", "bob")
    ledger.release_lock("bob")
    assert ledger.keep_lock("ada", 1)
    assert ledger.recorded() == []
    wait_until(lambda: ledger.take_lock("bob", 60) is None, 10, "the lock has expired")
    assert not ledger.record(KNOWN[0], "ada", "ada")
    ledger.release_lock("bob")
    assert ledger.take_lock("ada", 60) is None
