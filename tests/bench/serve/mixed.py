"""Questions at a steady rate while a worker applies records and batches are published: how late, and are they right?"""

import json
import os
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from common.settings import Settings, SpeedSettings
from infra.drawing import Column, draw
from infra.proof.comparison import Verdict
from tests.bench.serve.load import Asked, Paced, paced
from tests.support.builders import AS_OF, random_messages
from tests.support.crowd import compare
from tests.support.expected import Expected
from tests.support.harness import wait_until
from tests.support.stage import Load, Stage, stage

RECORDS: Final = 1_000.0
"""Records a second that are sent meanwhile."""
SEED: Final = 71
CUSTOMERS: Final = 50_000
"""So many that an answer adds up a few deltas, as those of `make bench-serving` do, and not hundreds."""
BATCHES: Final = 2
WARM_SECONDS: Final = 20.0
"""Questions are asked so long before the first that counts: the servers' JVMs still compile."""
QUIET_SECONDS: Final = 20.0
PIECE_SECONDS: Final = 5.0
"""Questions are asked in pieces so long, until the batch that runs meanwhile has ended."""
HISTORY: Final = 150_000
"""Records that are sent, as fast as Kafka takes them, and applied before the first question."""


def measure(console: Console, stack: Settings, rate: float) -> int:
    """Prints the delays of answers without a batch and during each one; returns 1 if an answer was wrong."""
    speed = SpeedSettings(session_timeout_seconds=6.0)
    with tempfile.TemporaryDirectory() as folder, stage(stack, speed=speed) as scene:
        kept, found = Path(folder) / "answers", dict[str, list[Paced]]()
        port = scene.settings.serving.port
        asked = Asked(f"c{SEED}-{{}}", 0, CUSTOMERS, AS_OF.isoformat())
        scene.start("speed", "run")
        records = random_messages(SEED, 10_000_000, customers=CUSTOMERS)
        sent = Load(scene.settings, islice(records, HISTORY), 1e6).send_all()
        wait_until(lambda: scene.lag() == 0, 180, "a history is applied")
        load = Load(scene.settings, records, RECORDS)
        load.start()
        paced(port, asked, rate=rate, seconds=WARM_SECONDS, kept=kept)  # judged like all others, but not timed
        found["no batch"] = [paced(port, asked, rate=rate, seconds=QUIET_SECONDS, kept=kept)]
        console.print(f"without a batch: {found['no batch'][0]}")
        for number in range(1, BATCHES + 1):
            run, pieces = scene.start("batch", "run", name=f"batch-{number}"), found.setdefault(f"batch {number}", [])
            while run.process.poll() is None:
                pieces.append(paced(port, asked, rate=rate, seconds=PIECE_SECONDS, kept=kept))
            assert run.process.returncode == 0, run.tail()
            scene.children.remove(run)
            console.print(f"batch {number} was published within {len(pieces) * PIECE_SECONDS:.0f} s")
        applied, seconds = _rate_of(scene)
        sent += load.end()
        verdict, batches = _judged(scene, kept)
    draw(
        (Column(f"{rate:g} questions/s"), *(Column(each, right=True) for each in ("answers/s", "p50, ms", "p99, ms"))),
        [(what, *_row(pieces)) for what, pieces in found.items()],
    )
    console.print(
        f"{sent} records sent, {applied / seconds:.0f} a second applied at the end; {verdict.customers} answers from "
        f"{batches} batches: {verdict.wrong} wrong, {verdict.degraded} degraded {dict(verdict.reasons)}, no error; "
        f"load {os.getloadavg()[0]:.1f}"
    )
    if verdict.first_difference:
        console.print(verdict.first_difference)
    return int(verdict.wrong > 0)


def _rate_of(scene: Stage, seconds: float = 5.0) -> tuple[int, float]:
    """How many records are applied in about so many seconds."""
    before, began = sum(scene.progress().values()), time.monotonic()
    time.sleep(seconds)
    return sum(scene.progress().values()) - before, time.monotonic() - began


def _row(pieces: list[Paced]) -> tuple[str, str, str]:
    """The worst piece."""
    rate = sum(each.rate for each in pieces) / len(pieces)
    return f"{rate:,.0f}", f"{max(each.p50 for each in pieces):,.1f}", f"{max(each.p99 for each in pieces):,.1f}"


def _judged(scene: Stage, kept: Path) -> tuple[Verdict, int]:
    """Every answer against the oracle's at the offset that it names, and from how many batches they are."""
    scene.oracle.extend(scene.log.refresh())
    verdict, expected, batches = Verdict(), Expected(scene.oracle), set[int]()
    for entry in _entries(kept):
        batches.add((entry["provenance"]["batch"] or {}).get("id", 0))
        compare(verdict, entry, expected)
    return verdict, len(batches)


def _entries(kept: Path) -> Iterator[dict[str, Any]]:
    with kept.open("rb") as lines:
        for line in lines:
            status, _, body = line.partition(b" ")
            nothing = {"metrics": None, "profile": None}
            yield {**nothing, **json.loads(body), "status": "ok" if status == b"200" else "unknown"}
