"""What a system's data takes on this machine's disk, in bytes: log, master, view and speed tables.

`stack` has the servers' own home, and `settings` name a system on them.
"""

from collections.abc import Iterable
from pathlib import Path

from batch_layer.job import Job
from batch_layer.master import table as master
from common.settings import Settings
from infra.local.stack.home import Home
from infra.operate.erasure.nodes import nodetool


def kafka_bytes(stack: Settings, settings: Settings) -> int:
    """The segments of the log, as its producers compressed them."""
    data = Home.of(stack).path / "kafka" / "data"
    partitions = range(settings.log.partitions)
    return _total(each for p in partitions for each in data.glob(f"{settings.log.topic}-{p}/*.log"))


def master_bytes(job: Job, snapshot: int) -> int:
    """The data files of the master at a snapshot, in a warehouse on this machine's disk."""
    return _total(Path(file.removeprefix("file:")) for of in master.files_of(job, snapshot) for file in of)


def cassandra_bytes(stack: Settings, settings: Settings, *tables: str) -> int:
    """The files of the tables, flushed and compacted: what is left of them once nothing is written."""
    keyspace = settings.cassandra.keyspace
    nodetool(stack, "flush", keyspace)
    nodetool(stack, "compact", keyspace, *tables)
    folder = Home.of(stack).path / "cassandra" / "data" / "data" / keyspace
    return _total(each for table in tables for each in folder.glob(f"{table}-*/*.db"))


def _total(files: Iterable[Path]) -> int:
    found = [file.stat().st_size for file in files]
    assert found, "the files are where this module looks for them"
    return sum(found)
