"""A night's work on a long log: archiving from Kafka, recomputing and loading, beside the bare driver on the same rows.

`python -m tests.bench.night --records 2000000 --customers 100000`. Needs some 1 KB of disk a record while it runs.
"""

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from typing import Final, TypeVar

from cassandra.concurrent import execute_concurrent_with_args
from rich.console import Console

from batch_layer.job import Job
from batch_layer.master.archive import archive
from batch_layer.session import spark_session
from batch_layer.view import load, publish
from batch_layer.view.recompute import recomputed
from common import logs
from common.algebra.pointer import Plan
from common.algebra.versions import logic_version
from common.log.partition import partition_of
from common.servers.cassandra import connected
from common.servers.producer import producer
from common.settings import Settings
from common.tables import Tables
from infra.paths import JARS
from tests.bench import disk
from tests.support.stage import own_stack
from tests.support.systems import new_system, patient

IN_FLIGHT: Final = (16, 32, 64, 128, 256, 512)
"""Of the bare driver, in each of its processes."""
BARE_ROWS: Final = 100_000
"""Rows that the bare driver writes with each number in flight."""
_DAYS: Final = 1000
T = TypeVar("T")


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--records", type=int, default=2_000_000)
    options.add_argument("--customers", type=int, default=100_000)
    options.add_argument("--memory", default="2g", help="of the driver's JVM")
    chosen = options.parse_args()
    logs.set_up(sys.stderr, logs.Whereabouts())
    console = Console(width=120)
    console.print(f"load average before: {os.getloadavg()[0]:.2f}")
    with own_stack() as stack:
        settings = patient(new_system(stack))
        batch = settings.batch.model_copy(update={"driver_memory": chosen.memory})
        measure(console, stack, settings.model_copy(update={"batch": batch}), chosen.records, chosen.customers)
    return 0


def measure(console: Console, stack: Settings, settings: Settings, records: int, customers: int) -> None:
    """Prints records/s archived, seconds of the recomputation, rows/s loaded beside the bare driver's, and sizes."""
    _, seconds = _timed(lambda: produce(settings, records, customers))
    console.print(f"{records:,} records into Kafka: {records / seconds:,.0f} records/s")
    with connected(settings) as session, spark_session(settings, JARS / "spark", records) as spark:
        job = Job(settings, spark, session, clock=lambda: time.time_ns() // 1000, report=lambda *_: None)
        spark.range(1000).mapInArrow(lambda batches: batches, "id long").count()  # starts Python's workers
        done, archiving = _timed(lambda: archive(job))
        console.print(f"archived: {done.records / archiving:,.0f} records/s, {archiving:.1f} s")
        assert (done.records, done.rejected) == (records, 0)
        plan = Plan(done.snapshot, done.cut, logic_version(), done.validation_version)
        claim = publish.claim(session, plan)
        states = recomputed(job, plan.snapshot, plan.cut)
        _, computing = _timed(lambda: states.write.format("noop").mode("overwrite").save())
        console.print(f"recomputed: {computing:.1f} s")
        digest, seconds = _timed(lambda: load.load(job, states, claim))
        rows = [(row["customer_id"], row["state"]) for row in states.limit(BARE_ROWS).collect()]
        master_size = disk.master_bytes(job, plan.snapshot)
    loaded = digest.rows / seconds
    console.print(f"recomputed and loaded: {digest.rows:,} rows, {loaded:,.0f} rows/s, {seconds:.1f} s")
    bare = {each: bare_driver(settings, rows, each) for each in IN_FLIGHT}
    for each, rate in bare.items():
        console.print(f"bare driver, 2 processes, {each} in flight in each: {rate:,.0f} rows/s")
    console.print(f"loaded / bare driver's best: {loaded / max(bare.values()):.2f}")
    log_size = disk.kafka_bytes(stack, settings)
    view_size = disk.cassandra_bytes(stack, settings, Tables.batch_view(claim.slot))
    console.print(
        f"a million records: {log_size / records:,.0f} MB of log, {master_size / records:,.0f} MB of master, "
        f"{archiving * 1e6 / records:.1f} s to archive, {computing * 1e6 / records:.2f} s to recompute"
    )
    console.print(
        f"a million customers of {records / digest.rows:.0f} records each: {view_size / digest.rows:,.0f} MB of each "
        f"slot, {(seconds - computing) * 1e6 / digest.rows:.1f} s to load them beside the recomputation"
    )


def produce(settings: Settings, records: int, customers: int) -> None:
    """Appends order records: 5 % are updates of an order, 5 % are cancelled, 1 % are repeats."""
    client = producer(settings)
    for number in range(records):
        order, _ = kinds_of(number)
        customer = customer_of(order, customers)
        value = _order(customer, order, is_update=89 <= number % 100 < 94).encode()
        partition = partition_of(customer, settings.log.partitions)
        while True:
            try:
                client.produce(settings.log.topic, key=customer.encode(), value=value, partition=partition)
                break
            except BufferError:  # the client's queue is full: wait for room
                client.poll(0.1)
    client.flush()


def kinds_of(number: int) -> tuple[int, bool]:
    """Returns the number of the order that record `number` is of, and whether it is the first one of that order."""
    within = number % 100
    is_new = within < 89 or 94 <= within < 99
    return (number if is_new else number - (50 if within < 94 else 98)), is_new


def customer_of(order: int, customers: int) -> str:
    """Returns the id of the customer who made the order."""
    return f"c{order * 7_919 % customers:08d}"


def _order(customer: str, order: int, *, is_update: bool) -> str:
    day = f"{2021 + order % 3}-{1 + order % 12:02d}-{1 + order % 28:02d}"
    status = "cancelled" if order % 20 == 0 else "completed"
    version = f"{2024 + is_update}-01-01T00:{order % 60:02d}:{order % 59:02d}Z"
    return (
        f'{{"specversion":"1.0","type":"order.recorded","id":"o{order}","source":"bench","subject":"{customer}",'
        f'"time":"{day}T10:{order % 60:02d}:00Z","data":{{"order_id":"o{order}","customer_id":"{customer}",'
        f'"order_date":"{day}T10:{order % 60:02d}:00Z","total_amount":"{order % 500}.{order % 90 + 10}",'
        f'"status":"{status}","updated_at":"{version}"}}}}'
    )


def bare_driver(settings: Settings, rows: list[tuple[str, str]], in_flight: int) -> float:
    """Rows a second that two processes write with the bare driver, a statement each; their connections do not count."""
    half = len(rows) // 2
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        seconds = pool.starmap(_write, [(settings, part, in_flight) for part in (rows[:half], rows[half:])])
    return len(rows) / max(seconds)


def _write(settings: Settings, rows: list[tuple[str, str]], in_flight: int) -> float:
    with connected(settings) as session:
        insert = session.prepare("INSERT INTO batch_view_c (customer_id, batch_id, state) VALUES (?, 1, ?)")
        _, seconds = _timed(lambda: execute_concurrent_with_args(session, insert, rows, concurrency=in_flight))
    return seconds


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    begun = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begun


if __name__ == "__main__":
    raise SystemExit(main())
