"""A rebuild of the speed tables from a large log, and a restore of that log from its master, in records a second."""

import time
from random import Random
from typing import Final

from batch_layer.job import Job
from batch_layer.master.archive import archive
from batch_layer.rebuild.run import rebuild
from batch_layer.session import spark_session
from common.algebra.pointer import Pointer
from common.log.events import validation_version
from common.log.normalizing import Rules
from common.progress import Progress, cells_of, insert_progress
from common.servers import kafka
from common.servers.cassandra import connected
from common.settings import Settings
from common.tables import Tables
from infra.operate.restore.restore import Backup, restore
from infra.paths import JARS
from infra.schema.generations import GenerationTables
from tests.bench.disk import cassandra_bytes
from tests.support.builders import Message, order
from tests.support.stage import Load
from tests.support.systems import new_system, patient

RECORDS: Final = 1_000_000
CUSTOMERS: Final = 50_000
ORDERS: Final = 700_000
"""Different orders; the other records are corrections of them."""


def measure_rebuild(stack: Settings) -> dict[str, float]:
    """Records a second of the archiving, the rebuild and the restore of a log that workers count as applied.

    Of the rebuild it is the first round, which is nearly all of it.
    """
    settings = patient(new_system(stack))
    random = Random(1)
    messages = (_order(random.randrange(ORDERS), number) for number in range(RECORDS))
    load = Load(settings, messages, rate=1e9)
    assert load.send_all() == RECORDS
    seconds: dict[str, float] = {}

    def report(step: str, _: str, took: float) -> None:
        seconds.setdefault(step, took)

    with connected(settings) as session, spark_session(settings, JARS / "spark") as spark:
        for row in _applied(settings):
            session.execute(insert_progress("%s"), cells_of(Pointer().generation, row))
        job = Job(settings, spark, session, clock=_clock, report=report)
        started = time.monotonic()
        archive(job)
        archived = time.monotonic() - started
        job.done("before", "")
        done = rebuild(job, GenerationTables(session))
        restored = _restored(job, new_system(stack))
    speed = Tables(done.generation)
    size = cassandra_bytes(stack, settings, speed.facts, speed.deltas)
    assert done.counts.records == RECORDS
    return {
        "records/s archived": RECORDS / archived,
        "records/s rebuilt": RECORDS / seconds["build"],
        "seconds of a rebuild": sum(took for step, took in seconds.items() if step != "before"),
        "rows written": done.counts.rows,
        "MB of facts and deltas a million records": size / RECORDS,
        "records/s restored": RECORDS / restored,
    }


def _restored(job: Job, elsewhere: Settings) -> float:
    """Seconds of a restore of the job's master into another system's log."""
    batch = elsewhere.batch.model_copy(update={"warehouse": job.settings.warehouse})
    settings = patient(elsewhere.model_copy(update={"batch": batch}))
    with connected(settings) as session:
        into = Job(settings, job.spark, session, clock=_clock, report=lambda *_: None)
        started = time.monotonic()
        done = restore(into, Backup(job.settings.cassandra.keyspace), settings.erasure_ledger, "bench")
    assert done.records == RECORDS
    return time.monotonic() - started


def _order(which: int, version: int) -> Message:
    day = f"2024-{1 + which % 12:02}-{1 + which % 28:02}"
    updated = f"2025-01-01T00:{version // 60 % 60:02}:{version % 60:02}Z"
    return order(f"c{which % CUSTOMERS}", f"o{which}", day, f"{version % 1000}.50", "completed", updated)


def _applied(settings: Settings) -> list[Progress]:
    """Rows of workers that have applied and published everything."""
    now = _clock()
    version = validation_version(Rules(settings.log.currency))
    ends = kafka.end_offsets(settings, settings.log.partitions)
    return [Progress(p, 0, end, end, version, now, now) for p, end in ends.items()]


def _clock() -> int:
    return time.time_ns() // 1000
