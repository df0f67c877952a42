"""The export of a published batch: its day in the warehouse, its rankings (not written), and one file.

`python -m tests.bench.exporting --customers 200000 --records 2000000`: order records, made as those of the
recomputation's bench. Needs no servers.
"""

import argparse
import os
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console

from batch_layer.export import file, rankings
from batch_layer.export.export import day_replaced
from batch_layer.export.file import Format
from batch_layer.job import Job
from batch_layer.view.recompute import recomputed
from common.settings import BatchSettings
from infra.drawing import Column, draw
from tests.bench.jobs import own_job
from tests.bench.recomputing import archived
from tests.support.exported import published

DAY = date(2023, 6, 30)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--customers", type=int, default=200_000)
    options.add_argument("--records", type=int, default=2_000_000)
    chosen = options.parse_args()
    console = Console(width=120)
    console.print(f"load average before: {os.getloadavg()[0]:.2f}")
    with own_job(BatchSettings()) as job:
        rows = _measured(job, chosen.records, chosen.customers, job.settings.home)
    draw((Column(""), Column("seconds", right=True), Column("customers/s", right=True)), rows)
    console.print(f"load average after: {os.getloadavg()[0]:.2f}")
    return 0


def _measured(job: Job, records: int, customers: int, folder: Path) -> list[tuple[str, str, str]]:
    batch = published(archived(job, range(records), customers), DAY)
    size = job.settings.batch.ranking_size
    exported: list[Any] = []

    def warehouse() -> None:
        exported.append(day_replaced(job, batch, DAY)[0])

    def ranked() -> None:
        _run(rankings.ranked(exported[-1], size, in_one_task=False))

    steps: dict[str, Callable[[], object]] = {
        "recomputation alone": lambda: _run(recomputed(job, batch.plan.snapshot, batch.plan.cut)),
        "day in the warehouse": warehouse,
        "the same again": warehouse,
        "rankings, not written": ranked,
        "one file of Parquet": lambda: file.write(job, batch, DAY, folder / "day", Format.PARQUET, force=True),
    }
    rows = []
    for name, step in steps.items():
        started = time.perf_counter()
        step()
        seconds = time.perf_counter() - started
        rows.append((name, f"{seconds:.1f}", f"{customers / seconds:,.0f}"))
    return rows


def _run(rows: Any) -> None:
    rows.write.format("noop").mode("overwrite").save()


if __name__ == "__main__":
    raise SystemExit(main())
