"""What a batch layer does to its Iceberg tables in a life, without servers: `python -m tests.support.lake_story`.

Prints, as one JSON object, what a reader would see after each step. The settings, from the environment, say where the
warehouse is: the output depends on nothing else, so two warehouses are compared by it.
"""

import os
import sys
from typing import Any, Final, cast

import msgspec
from pyarrow import fs

from batch_layer import lake
from batch_layer.erasure import iceberg
from batch_layer.erasure.found import erasures, forgotten
from batch_layer.export import warehouse
from batch_layer.export.columns import COLUMNS
from batch_layer.export.presented import presented
from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.master.table import Head
from batch_layer.object_store import DataFiles
from batch_layer.session import spark_session
from batch_layer.upkeep import keep_up
from batch_layer.view import publish
from batch_layer.view.recompute import recomputed
from common.algebra.pointer import Plan, Pointer, Published
from common.algebra.versions import logic_version
from common.settings import load_settings
from infra.paths import JARS
from tests.support.builders import AS_OF, random_log
from tests.support.masters import commit

APPENDS: Final = 5
RECORDS: Final = 60
"""Of each append."""
_NOW: Final = 1_750_000_000_000_000


def main() -> int:
    settings = load_settings(os.environ)
    master.SMALL = 0  # type: ignore[misc] # each bucket is a task, as in a large master
    publish.read = lambda session: Pointer()
    with spark_session(settings, JARS / "spark") as spark:
        job = Job(settings, spark, cast(Any, None), clock=lambda: _NOW, report=lambda *_: None)
        sys.stdout.write(msgspec.json.encode(told(job), order="sorted").decode())
    return 0


def told(job: Job) -> dict[str, object]:
    """Goes through the steps, and returns what is seen after each."""
    master.ensure(job)
    log = random_log(seed=8, count=APPENDS * RECORDS, customers=12)
    for start in range(0, len(log.records), RECORDS):
        commit(job, log.records[start : start + RECORDS])
    system, path = orphan(job)
    found: dict[str, object] = {"appended": seen(job), "exported": [exported(job, n) for n in (1, 2)]}
    found["upkeep"] = [[done.table, done.compacted, done.into, done.snapshots] for done in keep_up(job)]
    found["compacted"] = seen(job)
    gone = erased(job)
    found["erased"] = [gone, seen(job)]
    found["orphan"] = system.get_file_info(path).type.name
    return found


def head_of(job: Job) -> Head:
    head = master.head(job)
    assert head is not None
    return head


def seen(job: Job) -> dict[str, object]:
    """Every customer's state, and the records behind them."""
    head = head_of(job)
    states = {row["customer_id"]: row["state"] for row in recomputed(job, head.snapshot, head.offsets).collect()}
    rows = master.at_snapshot(job, head.snapshot).select("kafka_partition", "kafka_offset", "value").collect()
    return {"states": states, "records": sorted([row[0], row[1], bytes(row[2] or b"").hex()] for row in rows)}


def exported(job: Job, batch_id: int) -> list[str]:
    """A day in the warehouse, made by a batch and then replaced by the next."""
    head = head_of(job)
    plan = Plan(head.snapshot, head.offsets, logic_version(), head.validation_version)
    batch = Published(batch_id, "a", plan, _NOW, 1, "")
    warehouse.ensure(job)
    rows = presented(recomputed(job, head.snapshot, head.offsets), batch, [AS_OF])
    made = warehouse.replace(job, rows, [AS_OF], warehouse.current(job))
    return sorted(str(tuple(row)) for row in warehouse.day(job, AS_OF, made).select(*COLUMNS).collect())


def erased(job: Job) -> list[int]:
    """Takes the records that erasures forget out of the master and its history, with the files that nobody names."""
    head = head_of(job)
    rows = master.at_snapshot(job, head.snapshot)
    doomed = forgotten(job, rows, erasures(rows)).persist()
    count = doomed.count()
    name = master.table(job.settings)
    iceberg.delete(job, name, doomed, head.snapshot)
    snapshots, _ = iceberg.forget_history(job, name)
    return [count, snapshots]


def orphan(job: Job) -> tuple[fs.FileSystem, str]:
    """A data file that no snapshot names, as a killed run leaves it."""
    location = str(lake.load(job, master.table(job.settings)).location())
    system, path = DataFiles.of(job.settings).found(f"{location}/data/orphan of a killed run.parquet")
    with system.open_output_stream(path) as file:
        file.write(b"nobody's")
    return system, path


if __name__ == "__main__":
    raise SystemExit(main())
