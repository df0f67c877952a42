"""Questions at a steady rate while a worker applies records and batches are published: how late, and are they right?"""

import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

import httpx
from rich.console import Console

from common.servers.producer import producer
from common.settings import BatchSettings, Settings, SpeedSettings
from infra.drawing import Column, draw
from infra.proof.comparison import Verdict
from tests.bench.freshness import PAUSE_SECONDS, TIMEOUT_SECONDS, Probe
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
WARM_SECONDS: Final = 60.0
"""Questions are asked so long before the first that counts: the servers' JVMs still compile."""
PIECE_SECONDS: Final = 5.0
"""Questions are asked in pieces so long, until the batch that runs meanwhile has ended.

A piece begins once all questions of the one before are answered, and it takes 0.2 s to begin: these are in the seconds.
"""
QUIET_PIECES: Final = 12
"""So many are asked without a batch."""
PROBE_SECONDS: Final = 0.2
"""Between two records that are followed to an answer."""
FETCH_WAIT_SECONDS: Final = 0.1
"""As docs/operation.md advises for a machine on which ingest, questions and batches share two cores."""
HISTORY: Final = 150_000
"""Records that are sent, as fast as Kafka takes them, and applied before the first question."""


@dataclass
class Phase:
    """What was seen without a batch, or while one ran."""

    what: str
    pieces: list[Paced] = field(default_factory=list)
    fresh: list[float] = field(default_factory=list)
    """Seconds from a record's produce until an answer had it, of one record after another."""
    answers: int = 0
    seconds: float = 0.0

    def row(self) -> tuple[str, ...]:
        rate = self.answers / self.seconds
        p50, p99 = [each.p50 for each in self.pieces], [each.p99 for each in self.pieces]
        fresh = quantiles((1000 * each for each in self.fresh), n=100)
        figures = (rate, median(p50), median(p99), max(p99), fresh[49], fresh[98])
        return (self.what, f"{self.seconds:,.0f}", *(f"{each:,.0f}" for each in figures))


def measure(console: Console, stack: Settings, rate: float) -> int:
    """Prints the delays of answers and records without a batch and during each one; returns 1 if an answer was wrong.

    Raises AssertionError if a question was not answered, or a record not acknowledged.
    """
    speed = SpeedSettings(session_timeout_seconds=6.0, fetch_wait_seconds=FETCH_WAIT_SECONDS)
    with tempfile.TemporaryDirectory() as folder, stage(stack, speed=speed, batch=BatchSettings()) as scene:
        kept = Path(folder) / "answers"
        port = scene.settings.serving.port
        asked = Asked(f"c{SEED}-{{}}", 0, CUSTOMERS, AS_OF.isoformat())
        scene.start("speed", "run")
        records = random_messages(SEED, 10_000_000, customers=CUSTOMERS)
        sent = Load(scene.settings, islice(records, HISTORY), 1e6).send_all()
        wait_until(lambda: scene.lag() == 0, 180, "a history is applied")
        load = Load(scene.settings, records, RECORDS)
        load.start()

        followed = _Followed(scene.settings, scene.url)
        followed.start()

        def ask(phase: Phase, seconds: float = PIECE_SECONDS) -> None:
            followed.into, began = phase.fresh, time.monotonic()
            phase.pieces.append(paced(port, asked, rate=rate, seconds=seconds, kept=kept))
            phase.answers += round(rate * seconds)
            phase.seconds += time.monotonic() - began
            followed.check()

        ask(Phase("warming"), WARM_SECONDS)  # judged like all others, but not timed
        phases = [Phase("no batch")]
        for _ in range(QUIET_PIECES):
            ask(phases[0])
        for number in range(1, BATCHES + 1):
            phases.append(Phase(f"batch {number}"))
            run = scene.start("batch", "run", name=f"batch-{number}")
            while run.process.poll() is None:
                ask(phases[-1])
            assert run.process.returncode == 0, run.tail()
            scene.children.remove(run)
        followed.end()
        before, began = sum(scene.progress().values()), time.monotonic()
        time.sleep(PIECE_SECONDS)
        applied = (sum(scene.progress().values()) - before) / (time.monotonic() - began)
        sent += load.end()
        began = time.monotonic()
        verdict, batches = _judged(scene, kept)
        judged = time.monotonic() - began
    console.print(
        f"{sent} records sent, {applied:.0f} a second applied at the end; {verdict.customers} answers from {batches} "
        f"batches: {verdict.wrong} wrong, {verdict.degraded} degraded {dict(verdict.reasons)}, no error (judged in "
        f"{judged:.0f} s); load {os.getloadavg()[0]:.1f}"
    )
    titles = ("seconds", "answers/s", "p50, ms", "p99, ms", "worst p99", "record to answer, p50, ms", "p99, ms")
    draw(
        (Column(f"{rate:g} questions/s"), *(Column(each, right=True) for each in titles)),
        [each.row() for each in phases],
    )
    console.print(f"p50 and p99 of answers are the medians of those of pieces of {PIECE_SECONDS:g} s.")
    if verdict.first_difference:
        console.print(verdict.first_difference)
    return int(verdict.wrong > 0)


class _Followed(threading.Thread):
    """Follows records from their produce to an answer, one after another, into the list `into`."""

    def __init__(self, settings: Settings, url: str) -> None:
        super().__init__(daemon=True)
        self._settings, self._url, self._ending = settings, url, threading.Event()
        self.into: list[float] = []
        self._failure: Exception | None = None

    def run(self) -> None:
        try:
            with httpx.Client(base_url=self._url, timeout=TIMEOUT_SECONDS) as client:
                sender = producer(self._settings, **{"linger.ms": 0})
                probe = Probe(self._settings, sender, client, PAUSE_SECONDS)
                while not self._ending.wait(PROBE_SECONDS):
                    self.into.append(probe.send()[1])
        except Exception as error:  # it is raised in the thread that waits for this one
            self._failure = error

    def check(self) -> None:
        """Raises what ended it before its time."""
        if self._failure is not None:
            raise self._failure

    def end(self) -> None:
        self._ending.set()
        self.join()
        self.check()


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
