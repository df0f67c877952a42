"""One running system that faults are done to: its workers, its load, and the judgement after each fault."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console

from common.errors import LogUnavailable
from common.servers.cassandra import UNAVAILABLE
from common.settings import Settings
from infra.proof.comparison import Verdict
from tests.support.builders import AS_OF, random_messages
from tests.support.copies import tally_alerts, tally_deltas
from tests.support.harness import Child, wait_until
from tests.support.stage import Load, Stage

CUSTOMERS: Final = 300
PATIENCE_SECONDS: Final = 900.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One fault: the lag at its moment, the seconds from its end until all that the log held was applied, and answers.

    After a fault of the batch layer, the seconds are those of the next run, which finishes.

    `during` are answers under load, each at the offset it names; `rest` are all answers once the load has ended.
    """

    fault: str
    lag: int
    right_after: float
    sent: int
    during: Verdict
    rest: Verdict

    @property
    def wrong(self) -> int:
        return self.during.wrong + self.rest.wrong


@dataclass
class Story:
    """`servers` are the settings of the home that Kafka and Cassandra run in."""

    scene: Stage
    servers: Settings
    console: Console
    rng: random.Random
    rate: float
    """Records a second while faults are injected."""
    workers: list[Child] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    batch_seconds: float | None = None
    """What the last whole batch run took; None before the first one."""
    _seed: int = 0

    def start_worker(self) -> Child:
        """One more worker."""
        worker = self.scene.start("speed", "run", name=f"worker-{len(self.workers)}")
        self.workers.append(worker)
        return worker

    def join(self) -> Child:
        """One more worker, that has joined the group and settled in it."""
        worker = self.start_worker()
        wait_until(lambda: "event=settled" in worker.output.read_text(errors="replace"), 180, "the worker has joined")
        return worker

    def load(self, rate: float | None = None) -> Load:
        """A load of customers of its own, at once, until it is ended."""
        self._seed += 1
        seed = self.rng.randrange(1000) * 1000 + self._seed
        load = Load(self.scene.settings, random_messages(seed, 10_000_000, customers=CUSTOMERS), rate or self.rate)
        load.start()
        return load

    def behind(self) -> int:
        """The lag at a moment when there is one."""
        lag = 0

        def seen() -> bool:
            nonlocal lag
            lag = self.scene.lag()
            return lag > 0

        wait_until(seen, 60, "the speed layer is behind", every=0.01)
        return lag

    def right_after(self, since: float, ends: dict[int, int] | None = None) -> float:
        """Seconds from `since` until all that the log holds now (or held at `ends`) is applied."""
        wanted = dict(ends or {})

        def applied() -> bool:
            try:
                wanted.update({} if wanted else self.scene.ends())
                return self._is_applied(wanted)
            except (LogUnavailable, *UNAVAILABLE):
                return False  # a server has just come back

        wait_until(applied, PATIENCE_SECONDS, "the speed layer has applied what the log held")
        return time.monotonic() - since

    def _is_applied(self, ends: dict[int, int]) -> bool:
        for worker in self.workers:
            code = worker.process.poll()
            assert code in {None, 0, -9}, f"a worker ended with {code}:\n{worker.tail()}"
        applied = self.scene.progress()
        return all(applied.get(partition, 0) >= end for partition, end in ends.items())

    def judge(self, fault: str, load: Load, lag: int, right_after: float) -> None:
        """All answers while the load goes on, and all once more when it has ended and is applied."""
        during = self.scene.check(AS_OF)
        sent = load.end()
        self.right_after(time.monotonic())
        outcome = Outcome(fault, lag, right_after, sent, during, self.scene.check(AS_OF))
        self.outcomes.append(outcome)
        asked = during.customers + outcome.rest.customers
        self.console.print(
            f"{fault}: lag {lag}, right after {right_after:.1f} s, {asked} answers, {outcome.wrong} wrong, "
            f"{during.degraded + outcome.rest.degraded} degraded {dict(during.reasons + outcome.rest.reasons)}"
        )
        if difference := during.first_difference or outcome.rest.first_difference:
            self.console.print(difference)

    def copies(self) -> bool:
        """Whether the topics of deltas and alerts hold every stored row, as it is stored; printed."""
        fits = True
        for name, tally in (("deltas", tally_deltas), ("alerts", tally_alerts)):
            found = tally(self.scene.settings, self.scene.session, self.scene.partitions)
            self.console.print(
                f"{name}: {found.stored} stored, {found.events} in the topic ({found.repeated} repeated), "
                f"{len(found.missing)} missing, {len(found.different)} different, {len(found.unknown)} unknown"
            )
            fits = fits and found.fits and found.stored > 0
        return fits


Fault = Callable[[Story], None]
