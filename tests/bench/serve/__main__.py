"""`make bench-serving`: merged answers a second of one process beside their two bare reads and beside FastAPI alone.

The slot has a row of 100 days for each customer; sets of customers have 0, 5 and 100 deltas above it. Everything runs
in turn, in each run. `--hot` asks for customers with very many orders instead.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import httpx
from cassandra.cluster import Session
from rich.console import Console

from common import logs
from common.servers.cassandra import connected
from common.settings import Settings
from infra.drawing import Column, draw
from infra.local.stack import ports
from tests.bench.serve import bare, hot, load, mixed
from tests.bench.serve.rows import AS_OF, NAME, Set, beat, fill, sets_of
from tests.bench.throughput import cpu_seconds, peak_mebibytes
from tests.support.harness import Child, wait_until
from tests.support.stage import own_stack
from tests.support.systems import new_system, patient

DAY = AS_OF.isoformat()
WARM_SECONDS = 15
"""Each set of customers is asked for so long before the first run."""


def main() -> int:
    options = argparse.ArgumentParser(prog="make bench-serving", description=__doc__)
    options.add_argument("--customers", type=int, default=1_000_000)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--seconds", type=int, default=8, help="seconds of each measurement")
    options.add_argument("--hot", action="store_true", help="customers with 30,000 and with 1,000,000 orders instead")
    options.add_argument(
        "--mixed", type=float, metavar="RATE", help="so many questions a second beside ingest and batches instead"
    )
    chosen = options.parse_args()
    logs.set_up(sys.stderr, logs.Whereabouts())
    console = Console()
    with own_stack() as stack:
        if chosen.mixed:
            return mixed.measure(console, stack, chosen.mixed)
        settings = serving_on(new_system(stack))
        with connected(patient(settings)) as session:
            if chosen.hot:
                hot.measure(console, session, settings)
                return 0
            console.print(f"filling {chosen.customers:,} customers")
            fill(session, settings, chosen.customers)
            _warm(session, settings, chosen.customers)
            _measure(console, session, settings, chosen)
    return 0


def _warm(session: Session, settings: Settings, customers: int) -> None:
    """Has Cassandra compile what answers ask of it, and compact what was filled, before anything is measured."""
    beat(session, settings)
    with _api(settings):
        for each in sets_of(customers):
            load.closed(settings.serving.port, each.first, each.size, DAY, WARM_SECONDS)


def serving_on(settings: Settings) -> Settings:
    """The settings with a free port for the API, and with the patience that rows written once need."""
    port = next(port for port in range(18_360, 19_300) if ports.is_free(port))
    serving = settings.serving.model_copy(update={"port": port, "max_behind_seconds": 1800.0})
    return settings.model_copy(update={"serving": serving})


def _measure(console: Console, session: Session, settings: Settings, chosen: argparse.Namespace) -> None:
    figures: dict[str, list[float]] = {}
    for number in range(chosen.runs):
        beat(session, settings)
        found = _run(settings, chosen.customers, chosen.seconds)
        for what, figure in found.items():
            figures.setdefault(what, []).append(figure)
        line = ", ".join(f"{what} {_text(figure)}" for what, figure in found.items())
        console.print(f"run {number + 1} of {chosen.runs} (load {os.getloadavg()[0]:.1f}): {line}")
    columns = (
        Column(f"{chosen.customers:,} customers, {chosen.runs} runs"),
        *(Column(each, right=True) for each in ("median", "least", "greatest")),
    )
    draw(columns, [(what, *map(_text, (median(of), min(of), max(of)))) for what, of in figures.items()])


def _run(settings: Settings, customers: int, seconds: int) -> dict[str, float]:
    port, found = settings.serving.port, dict[str, float]()
    with _constant() as other:
        load.closed(other, 0, customers, DAY, 2)
        alone = max(load.several(other, 0, customers, DAY, seconds)).rate
    found["FastAPI answering a constant, requests/s"] = alone
    for each in sets_of(customers):
        found |= _of_set(settings, each, seconds, alone)
    with _api(settings, "--workers", "2"):
        quiet = sets_of(customers)[0]
        load.closed(port, quiet.first, quiet.size, DAY, 3)
        two = max(load.several(port, quiet.first, quiet.size, DAY, seconds)).rate
    found["two workers, 0 deltas, answers/s, at their best"] = two
    found["two workers / one"] = two / found["0 deltas: answers/s, at their best"]
    return found


def _of_set(settings: Settings, of: Set, seconds: int, alone: float) -> dict[str, float]:
    port, name = settings.serving.port, f"{of.deltas} deltas"
    with _api(settings) as child:
        _check(port, of)
        load.closed(port, of.first, of.size, DAY, 3)
        before = cpu_seconds(child)
        several = load.several(port, of.first, of.size, DAY, seconds)
        cpu = (cpu_seconds(child) - before) / sum(each.rate * seconds for each in several)
        merged = max(several)
        asked = load.Asked(NAME, of.first, of.size, DAY)
        paced = load.paced(port, asked, rate=merged.rate / 2, seconds=seconds)
        memory = peak_mebibytes(child)
    pairs, in_flight = bare.best(settings, of, max(seconds / 4, 1.0))
    return {
        f"{name}: answers/s, at their best": merged.rate,
        f"{name}: connections at that": merged.connections,
        f"{name}: pairs of bare reads/s, at their best": pairs,
        f"{name}: pairs in flight at that": in_flight,
        f"{name}: answers / slower of the two": merged.rate / min(pairs, alone),
        f"{name}: CPU of the process, us an answer": 1e6 * cpu,
        f"{name}: ms at full load, p50": merged.p50,
        f"{name}: ms at full load, p99": merged.p99,
        f"{name}: ms at half of it, p50": paced.p50,
        f"{name}: ms at half of it, p99": paced.p99,
        f"{name}: memory of the process, MiB": memory,
    }


def _check(port: int, of: Set) -> None:
    """The answers are exact, and have the deltas of the set."""
    answer = httpx.get(f"http://127.0.0.1:{port}/v1/customers/{of.customer(1)}/metrics", params={"as_of": DAY}).json()
    assert answer["provenance"]["status"] == "exact", answer
    assert answer["provenance"]["speed"]["deltas"] == of.deltas, answer


@contextmanager
def _api(settings: Settings, *arguments: str) -> Iterator[Child]:
    child = Child(settings, "serve", *arguments, name="api")
    try:
        wait_until(lambda: is_ready(settings.serving.port), 60, "the API is ready")
        yield child
    finally:
        child.stop()


def is_ready(port: int) -> bool:
    """Whether the API on the port says that it is ready."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def _constant() -> Iterator[int]:
    port = next(port for port in range(18_360, 19_300) if ports.is_free(port))
    child = subprocess.Popen([sys.executable, "-m", "tests.bench.serve.constant", str(port)])
    try:
        wait_until(lambda: not ports.is_free(port), 30, "the constant is answered")
        yield port
    finally:
        child.terminate()
        child.wait()


def _text(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"


if __name__ == "__main__":
    raise SystemExit(main())
