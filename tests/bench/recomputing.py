"""The recomputation of a long history, beside DuckDB, which computes the same states from the same data files.

`python -m tests.bench.recomputing --records 20000000 --customers 1000000 --runs 5`: order records, of which 5 % are
updates of an order, 5 % are cancelled and 1 % are repeats. Needs no servers.
"""

import argparse
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Final

import duckdb
import psutil
from pyspark.sql import functions as F
from rich.console import Console

from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.master.table import COLUMNS, Head
from batch_layer.view.recompute import recomputed
from common import logs
from common.algebra.cut import Cut
from common.algebra.measures import MEASURES
from common.settings import BatchSettings
from infra.drawing import Column, draw
from tests.bench.disk import master_bytes
from tests.bench.jobs import own_job
from tests.bench.throughput import peak_mebibytes_of

PARTITIONS: Final = 4
DAY: Final = 86_400_000_000
OLDEST: Final = 1_600_000_000_000_000
_OTHERS: Final = ",0" * (len(MEASURES) - 2)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--records", type=int, default=20_000_000)
    options.add_argument("--customers", type=int, default=1_000_000)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--hot", type=int, default=0, help="so many of the records are of one customer")
    options.add_argument("--memory", default="2g", help="of the driver's JVM")
    chosen = options.parse_args()
    logs.set_up(sys.stderr, logs.Whereabouts())
    console = Console(width=120)
    console.print(f"load average before: {os.getloadavg()[0]:.2f}")
    with own_job(BatchSettings(driver_memory=chosen.memory)) as job:
        head = archived(job, range(chosen.records), chosen.customers, chosen.hot)
        measure(console, job, head, chosen.runs)
    return 0


def archived(job: Job, numbers: range, customers: int, hot: int = 0) -> Head:
    """Adds the order records of these numbers to the master, as one archiving commit does; returns its head."""
    master.ensure(job)
    before = master.head(job)
    archive_id = 1 if before is None else before.archive_id + 1
    number = F.col("id")
    within = number % 100
    order = F.when(within < 89, number).when(within < 94, number - 50).when(within < 99, number).otherwise(number - 98)
    is_update = (within >= 89) & (within < 94)
    customer = F.when(order < hot, F.lit(0)).otherwise(F.pmod(F.xxhash64("order"), F.lit(customers)))
    mixed = F.pmod(F.xxhash64(F.col("order") + 7), F.lit(1 << 40))
    made = {
        "kafka_partition": F.col("customer") % PARTITIONS,
        "kafka_offset": number,
        "appended_at": F.lit(1_700_000_000_000_000) + number * 1000,
        "archive_id": F.lit(archive_id),
        "customer_id": F.format_string("c%08d", "customer"),
        "kind": F.lit("order"),
        "entity_id": F.concat(F.lit("o"), F.col("order").cast("string")),
        "version": F.lit(OLDEST) + (F.col("mixed") % 86_400_000) * 1_000_000 + F.when(is_update, DAY).otherwise(0),
        "retracted": F.lit(False),
        "future_dated": F.lit(False),
        "order_date": F.lit(OLDEST) + (F.col("mixed") % 94_608_000) * 1_000_000,
        "amount": F.col("mixed") % 50_000,
        "status": F.when(F.col("mixed") % 20 == 0, "cancelled").otherwise("completed"),
    }
    rows = (
        job.spark.range(numbers.start, numbers.stop)
        .withColumn("order", order)
        .withColumn("customer", customer)
        .withColumn("mixed", mixed)
        .select(*(made.get(name, F.lit(None)).cast(kind).alias(name) for name, kind in COLUMNS.items()))
    )
    head = Head(0, archive_id, Cut.of(dict.fromkeys(range(PARTITIONS), numbers.stop)), "topic", "validation")
    planned_from = before.snapshot if before else None
    master.replace(job, rows, planned_from=planned_from, head_after=head, replaced=master.added_by(archive_id))
    found = master.head(job)
    assert found is not None
    return found


def measure(console: Console, job: Job, head: Head, runs: int) -> None:
    """Prints seconds and peak memory of both, their ratio, and that the states are the same."""
    folder = job.settings.home

    files = [file.removeprefix("file:") for of in master.files_of(job, head.snapshot) for file in of]
    records = head.offsets.offsets[0]
    theirs = _sql(files)
    figures: dict[str, list[tuple[float, float]]] = {"recomputation": [], "DuckDB": []}
    for _ in range(runs):
        figures["recomputation"].append(timed(lambda: recompute(job, head)))
        with multiprocessing.get_context("spawn").Pool(1) as alone:
            figures["DuckDB"].append(alone.apply(_by_duckdb, (theirs, str(folder))))
    seconds = {name: median(took for took, _ in found) for name, found in figures.items()}
    draw(
        (
            Column(""),
            Column("seconds, median", right=True),
            Column("least to greatest"),
            Column("GB, peak", right=True),
        ),
        [
            (
                name,
                f"{seconds[name]:.1f}",
                f"{min(took for took, _ in found):.1f} to {max(took for took, _ in found):.1f}",
                f"{max(peak for _, peak in found):.2f}",
            )
            for name, found in figures.items()
        ],
    )
    console.print(f"ratio: {seconds['recomputation'] / seconds['DuckDB']:.2f}")
    console.print(
        f"a million records: {seconds['recomputation'] * 1e6 / records:.2f} s to recompute, and "
        f"{master_bytes(job, head.snapshot) / records:.0f} MB of master, without the records' own bytes"
    )
    states = folder / "states"
    recomputed(job, head.snapshot, head.offsets).write.parquet(str(states))
    rows, wrong = (
        _database(str(folder))
        .execute(
            "SELECT count(*), count(*) FILTER (a.state IS DISTINCT FROM b.state) "
            f"FROM read_parquet('{states}/*.parquet') a FULL JOIN ({theirs}) b USING (customer_id)"
        )
        .fetchall()[0]
    )
    console.print(f"{rows:,} customers, {wrong} of them with another state")
    assert not wrong


def _by_duckdb(query: str, folder: str) -> tuple[float, float]:
    """Seconds of the query, and the greatest memory of this process, in GB: it is DuckDB's alone."""
    database = _database(folder)
    started = time.perf_counter()
    database.execute(f"SELECT count(*), sum(length(state)) FROM ({query})").fetchall()
    seconds = time.perf_counter() - started
    return seconds, peak_mebibytes_of(os.getpid()) * 2**20 / 1e9


def _database(folder: str) -> duckdb.DuckDBPyConnection:
    """With all cores, spilling to the folder."""
    database = duckdb.connect(config={"threads": os.cpu_count() or 1, "temp_directory": f"{folder}/duckdb"})
    database.execute("SET enable_progress_bar = false")
    return database


def _sql(files: list[str]) -> str:
    """DuckDB's query for the columns of a recomputation of orders."""
    return f"""
        WITH current AS (
            SELECT customer_id, order_date, amount, status FROM read_parquet({files!r})
            WHERE customer_id IS NOT NULL
            QUALIFY row_number() OVER (PARTITION BY customer_id, entity_id ORDER BY version DESC, kafka_offset DESC) = 1
        ), days AS (
            SELECT customer_id, order_date // {DAY} AS day, count(*) FILTER (status <> 'cancelled') AS orders,
                coalesce(sum(amount) FILTER (status <> 'cancelled'), 0)::BIGINT AS revenue
            FROM current GROUP BY ALL
        )
        SELECT customer_id, '{{"days":{{' || coalesce(string_agg(
            '"' || day || '":[' || orders || ',' || revenue || '{_OTHERS}]', ',' ORDER BY day
        ) FILTER (orders <> 0 OR revenue <> 0), '') || '}},"profile":null}}' AS state
        FROM days GROUP BY customer_id
    """


def recompute(job: Job, head: Head) -> None:
    """Computes every state at the head, and keeps none."""
    recomputed(job, head.snapshot, head.offsets).write.format("noop").mode("overwrite").save()


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds, and the greatest memory of this process and its children meanwhile, in GB."""
    with _peak() as peak:
        started = time.perf_counter()
        work()
        seconds = time.perf_counter() - started
    return seconds, peak[0] / 1e9


@contextmanager
def _peak() -> Iterator[list[float]]:
    greatest, ended = [0.0], threading.Event()

    def look() -> None:
        this = psutil.Process()
        while not ended.wait(0.2):
            held = 0.0
            for each in (this, *this.children(recursive=True)):
                try:
                    held += each.memory_full_info().pss
                except psutil.Error:
                    continue
            greatest[0] = max(greatest[0], held)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield greatest
    finally:
        ended.set()
        watcher.join()


if __name__ == "__main__":
    raise SystemExit(main())
