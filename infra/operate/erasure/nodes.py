"""Makes Cassandra's nodes drop what is deleted or replaced, on this machine's own stack; elsewhere, says how (R24)."""

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from cassandra.cluster import Session

from common.algebra.pointer import SLOTS
from common.errors import StackError
from common.servers.patience import patiently
from common.settings import Settings
from common.tables import Tables
from infra.local.stack.cassandra import Cassandra, jvm_arguments
from infra.local.stack.java import find_java, jars

GRACE_SECONDS: Final = 864_000
"""Cassandra's own `gc_grace_seconds`, which our tables have."""
TIMEOUT_SECONDS: Final = 3_600.0
_TOMBSTONE_AGE_SECONDS: Final = 2.0
"""A tombstone is dropped once it is older than the grace, in whole seconds."""
_SCRATCH: Final = "erasure_scratch"


def is_local(settings: Settings) -> bool:
    """Whether Cassandra is this home's single node, without replicas that a tombstone must still reach."""
    return not settings.cassandra.hosts and settings.cassandra.replication_factor == 1


def concerned(speed_tables: Sequence[str]) -> list[str]:
    """Returns the tables whose files may hold what was erased."""
    of_slots = [name(slot) for name in (Tables.batch_view, Tables.rankings) for slot in SLOTS]
    others = (Tables.alerts, Tables.dead_letters, Tables.batches, Tables.journal, Tables.notifications)
    return [*speed_tables, *of_slots, *others]


def by_hand(settings: Settings, tables: Sequence[str]) -> list[str]:
    """Returns what an operator runs on every node of a cluster, in this order."""
    keyspace = settings.cassandra.keyspace
    named = " ".join(tables)
    return [
        f"nodetool repair -full {keyspace} {named}    (once for the cluster: each tombstone reaches every replica)",
        f"nodetool flush {keyspace}",
        f"nodetool compact {keyspace} {named}    (again after gc_grace_seconds: tombstones hold the id until then)",
        f"nodetool clearsnapshot --all -- {keyspace}    (also backups/ folders, if incremental backups are on)",
        "nodetool invalidatekeycache    (saved_caches/ is written anew after key_cache_save_period)",
        "nodetool flush    (commitlog/ loses its older segments as new ones begin; cdc_raw/ and archives likewise)",
    ]


def compact(session: Session, settings: Settings, tables: Sequence[str]) -> None:
    """The files of the local node hold the tables' live rows only, and no snapshot or commit log holds others.

    For the time of the compaction, `gc_grace_seconds` of the tables is 0, since a tombstone holds its key. Idempotent:
    killed in between, the next call sets it back.
    """
    keyspace = settings.cassandra.keyspace
    nodetool(settings, "flush", keyspace)
    time.sleep(_TOMBSTONE_AGE_SECONDS)
    with _without_grace(session, tables):
        nodetool(settings, "compact", keyspace, *tables)
    nodetool(settings, "clearsnapshot", "--all", "--", keyspace)
    nodetool(settings, "invalidatekeycache")
    _discard_commit_log(session, settings)


def nodetool(settings: Settings, *arguments: str) -> str:
    """Runs Cassandra's own tool against the local node, and returns its output. Raises StackError if it fails."""
    port = str(Cassandra().ports(settings)["jmx"])
    home = settings.home.absolute() / "run"
    home.mkdir(parents=True, exist_ok=True)
    command = [
        str(find_java()),
        "-Xmx128m",
        "-XX:TieredStopAtLevel=1",
        *(each for each in jvm_arguments() if each.startswith("--add-")),
        f"-Duser.home={home}",  # it keeps a history of commands there
        "-cp",
        f"{jars('cassandra')}/*",
        "org.apache.cassandra.tools.NodeTool",
        "-h",
        "127.0.0.1",
        "-p",
        port,
        *arguments,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-1000:]
        raise StackError(f"nodetool {' '.join(arguments)}: {said}")
    return done.stdout


@contextmanager
def _without_grace(session: Session, tables: Sequence[str]) -> Iterator[None]:
    try:
        for table in tables:
            _alter(session, table, 0)
        yield
    finally:
        for table in tables:
            _alter(session, table, GRACE_SECONDS)


def _alter(session: Session, table: str, seconds: int) -> None:
    statement = f"ALTER TABLE {table} WITH gc_grace_seconds = {seconds}"
    patiently(lambda: session.execute(statement), "setting gc_grace_seconds")


def _discard_commit_log(session: Session, settings: Settings) -> None:
    """Begins a new segment of the commit log, and deletes the older ones, whose records are flushed."""
    # Dropping a table is what makes Cassandra change the segment that it writes to.
    patiently(lambda: session.execute(f"CREATE TABLE IF NOT EXISTS {_SCRATCH} (k int PRIMARY KEY)"), "making a table")
    patiently(lambda: session.execute(f"INSERT INTO {_SCRATCH} (k) VALUES (0)"), "writing a row")
    patiently(lambda: session.execute(f"DROP TABLE IF EXISTS {_SCRATCH}"), "dropping a table")
    nodetool(settings, "flush")
