"""The recomputation after many small appends, before `batch maintain` and after it.

`python -m tests.bench.upkeep --records 2000000 --appends 60`: orders as in `tests.bench.recomputing`, of which the last
ones come in appends of a thousand records each. Needs no servers.
"""

import argparse
import os
import sys
import time
from statistics import median
from typing import Final
from unittest.mock import patch

from rich.console import Console

from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.upkeep import keep_up
from batch_layer.view import publish
from common import logs
from common.algebra.pointer import Pointer
from common.settings import BatchSettings
from infra.drawing import Column, draw
from tests.bench.jobs import own_job
from tests.bench.recomputing import archived, recompute, timed

SMALL: Final = 1000
"""Records of a small append."""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--records", type=int, default=2_000_000, help="before the small appends")
    options.add_argument("--customers", type=int, default=100_000)
    options.add_argument("--appends", type=int, default=60)
    options.add_argument("--runs", type=int, default=5)
    chosen = options.parse_args()
    logs.set_up(sys.stderr, logs.Whereabouts())
    console = Console(width=120)
    console.print(f"load average before: {os.getloadavg()[0]:.2f}")
    with own_job(BatchSettings(driver_memory="2g")) as job, patch.object(publish, "read", lambda _: Pointer()):
        measure(console, job, chosen.records, chosen.customers, chosen.appends, chosen.runs)
    return 0


def measure(console: Console, job: Job, records: int, customers: int, appends: int, runs: int) -> None:
    """Prints the seconds of a recomputation after one append, after all of them, and after the upkeep."""
    archived(job, range(records), customers)
    rows = [_row(job, "one append", runs)]
    for start in range(records, records + appends * SMALL, SMALL):
        archived(job, range(start, start + SMALL), customers)
    rows.append(_row(job, f"and {appends} of {SMALL:,} records", runs))
    started = time.perf_counter()
    for done in keep_up(job):
        console.print(f"maintain: {done.table}: {done.figures}, in {time.perf_counter() - started:.1f} s")
    rows.append(_row(job, "after maintain", runs))
    draw(
        (
            Column(f"{records:,} records"),
            *(Column(each, right=True) for each in ("files", "median s", "least", "greatest")),
        ),
        rows,
    )


def _row(job: Job, what: str, runs: int) -> tuple[str, ...]:
    head = master.head(job)
    assert head is not None
    files = sum(map(len, master.files_of(job, head.snapshot)))
    seconds = [timed(lambda: recompute(job, head))[0] for _ in range(runs)]
    return (what, f"{files:,}", *(f"{each:.1f}" for each in (median(seconds), min(seconds), max(seconds))))


if __name__ == "__main__":
    raise SystemExit(main())
