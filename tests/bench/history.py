"""A long history, from the first record sent to the last customer answered: by a worker alone, or batch first.

`python -m tests.bench.history --records 5000000 --customers 200000 --way worker --way batch`. Each way has a system of
its own on the same servers. Needs some 1 KB of disk a record while it runs.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from random import Random
from typing import Final

from rich.console import Console

from common import logs
from common.settings import BatchSettings
from infra.proof.comparison import ask_all
from tests.bench.night import customer_of, kinds_of, produce
from tests.support.harness import wait_until
from tests.support.stage import Stage, own_stack, stage

PATIENCE: Final = 3600.0
AS_OF: Final = date(2024, 6, 1)
SAMPLE: Final = 1000
"""Customers who are asked for at the end."""


@dataclass
class Times:
    """When what happened, in seconds since the first record was sent."""

    begun: float = field(default_factory=time.monotonic)
    at: dict[str, float] = field(default_factory=dict)

    def note(self, what: str) -> None:
        self.at[what] = time.monotonic() - self.begun


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--records", type=int, default=5_000_000)
    options.add_argument("--customers", type=int, default=200_000)
    options.add_argument("--way", choices=list(WAYS), action="append", help="instead of all")
    options.add_argument("--memory", default="2g", help="of the batch driver's JVM")
    chosen = options.parse_args()
    logs.set_up(sys.stderr, logs.Whereabouts())
    console = Console(width=140)
    with own_stack() as stack:
        for way in chosen.way or WAYS:
            console.print(f"{way}: load average before: {os.getloadavg()[0]:.2f}")
            batch = BatchSettings(driver_memory=chosen.memory)
            with stage(stack, batch=batch) as scene:
                times = WAYS[way](scene, console, chosen.records, chosen.customers)
                wrong = _wrong(scene, _orders(chosen.records, chosen.customers, SAMPLE))
            for what, seconds in times.at.items():
                console.print(f"{way}: {what}: {seconds:,.0f} s")
            console.print(f"{way}: of {SAMPLE} customers {wrong} are not exact and right")
    return 0


def by_a_worker(scene: Stage, _: Console, records: int, customers: int) -> Times:
    """A worker runs from the first record on."""
    times = Times()
    scene.start("speed", "run")
    produce(scene.settings, records, customers)
    times.note("all is sent")
    wait_until(lambda: scene.lag() == 0, PATIENCE, "all is applied")
    times.note("all is applied, and answers are exact")
    return times


def by_a_batch(scene: Stage, console: Console, records: int, customers: int) -> Times:
    """The first batch, and a worker from its cut on."""
    few = _orders(records, customers, 50)
    times = Times()
    produce(scene.settings, records, customers)
    times.note("all is sent")
    run = scene.start("batch", "run", "--first")
    wait_until(lambda: "is current" in run.tail(20_000), PATIENCE, f"the batch is current: see {run.output}")
    times.note("answers hold everything, and are degraded: no speed layer yet")
    console.print(run.finish(PATIENCE))
    times.note("the speed tables are built")
    scene.start("speed", "run")
    wait_until(lambda: scene.lag() == 0 and not _wrong(scene, few), PATIENCE, "answers are exact")
    times.note("a worker runs, and answers are exact")
    return times


def _orders(records: int, customers: int, sample: int) -> dict[str, int]:
    """How many orders each of a sample of customers has."""
    chosen = {f"c{number:08d}" for number in Random(1).sample(range(customers), sample)}
    orders = dict.fromkeys(sorted(chosen), 0)
    for number in range(records):
        order, is_new = kinds_of(number)
        if is_new and (owner := customer_of(order, customers)) in chosen:
            orders[owner] += order % 20 != 0
    return orders


def _wrong(scene: Stage, orders: Mapping[str, int]) -> int:
    """How many of the customers are not answered exactly, with as many orders as they have."""
    found = {each["customer_id"]: each for each in ask_all(scene.url, orders, AS_OF)}
    return sum(
        found[owner]["provenance"]["status"] != "exact"
        or (found[owner]["metrics"] or {"order_count": 0})["order_count"] != count
        for owner, count in orders.items()
    )


WAYS: Final[dict[str, Callable[[Stage, Console, int, int], Times]]] = {"worker": by_a_worker, "batch": by_a_batch}


if __name__ == "__main__":
    raise SystemExit(main())
