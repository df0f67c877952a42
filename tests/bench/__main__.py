"""`make bench`: freshness on an idle system, throughput, the import of a file, and a rebuild.

`make bench-speed`: throughput of the speed workers, and freshness under half of that load. Figures stand beside bare
ones of the same run.

Five runs each; the median, the least and the greatest.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from statistics import median

from rich.console import Console

from common import logs
from common.settings import Settings
from infra.drawing import Column, draw
from tests.bench.auditing import measure_audit
from tests.bench.freshness import measure_freshness, measure_loaded_freshness
from tests.bench.importing import measure_imports
from tests.bench.rebuilding import measure_rebuild
from tests.bench.throughput import measure_speed, warm
from tests.support.stage import own_stack


def speed(stack: Settings) -> dict[str, float]:
    """Throughput, and freshness under half of what one worker does."""
    found = measure_speed(stack)
    Console().print(_line({what: [figure] for what, figure in found.items()}))
    return found | measure_loaded_freshness(stack, found["records/s of one worker"] / 2)


PARTS = {
    "freshness": measure_freshness,
    "speed": speed,
    "import": measure_imports,
    "rebuild": measure_rebuild,
    "audit": measure_audit,
}
"""`audit` is not of `make bench`: it takes minutes."""


def main() -> int:
    options = argparse.ArgumentParser(prog="make bench", description=__doc__)
    options.add_argument("--runs", type=int, default=5, help="runs of each part")
    options.add_argument("--only", choices=list(PARTS), help="one part instead of all")
    chosen = options.parse_args()
    logs.set_up(sys.stderr, logs.Whereabouts())
    console = Console()
    console.print(f"load average before: {os.getloadavg()[0]:.2f}")
    with own_stack() as stack:
        for name in [chosen.only] if chosen.only else [name for name in PARTS if name != "audit"]:
            _measure(console, stack, name, chosen.runs)
    return 0


def _measure(console: Console, stack: Settings, name: str, runs: int) -> None:
    figures: dict[str, list[float]] = {}
    if name == "speed":
        warm(stack)
    for number in range(runs):
        for what, figure in PARTS[name](stack).items():
            figures.setdefault(what, []).append(figure)
        console.print(f"{name}: run {number + 1} of {runs}: " + _line({k: v[-1:] for k, v in figures.items()}))
    columns = (Column(f"{name}, {runs} runs"), *(Column(each, right=True) for each in ("median", "least", "greatest")))
    draw(columns, [(what, *map(_text, (median(found), min(found), max(found)))) for what, found in figures.items()])


def _line(figures: dict[str, Sequence[float]]) -> str:
    return ", ".join(f"{what} {_text(values[-1])}" for what, values in figures.items())


def _text(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"


if __name__ == "__main__":
    raise SystemExit(main())
