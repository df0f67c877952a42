"""One system that two releases share: their processes, and what the APIs of both answer in each step."""

import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console

from batch_layer.view import publish
from common.servers.cassandra import connected
from common.settings import Settings
from infra.local.stack import ports
from infra.proof.log_reader import LogReader
from infra.proof.oracle import Oracle, RawRecord
from tests.support.asking import Asker, Round, judged
from tests.support.builders import random_messages
from tests.support.expected import Expected
from tests.support.harness import Child, wait_until
from tests.support.reasons import Tally
from tests.support.release import Release, Versions
from tests.support.stage import Load, Stage
from tests.support.systems import patient, with_few_rules

RATE: Final = 30.0
"""Records a second, all the time."""
CUSTOMERS: Final = 100
PATIENCE_SECONDS: Final = 1500.0


@dataclass(frozen=True, slots=True)
class Row:
    """What one API answered while a step was done, and at its end."""

    step: str
    release: str
    seconds: float
    rounds: list[Round]
    tally: Tally
    last: Tally
    """Of the round that began after the step was done."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a release's answers mean: those of the oracle on the log as `translated`."""

    oracle: Oracle
    translated: Callable[[Iterable[RawRecord]], Iterable[RawRecord]]


@dataclass(frozen=True, slots=True)
class Api:
    """A running API of a release."""

    release: Release
    versions: Versions
    url: str
    child: Child


@dataclass
class Mixed:
    """`apis` are asked in every step."""

    scene: Stage
    console: Console
    apis: list[Api] = field(default_factory=list)
    workers: dict[str, Child] = field(default_factory=dict)
    """By the name of the release: at most one of each."""
    rows: list[Row] = field(default_factory=list)
    meanings: dict[str, Meaning] = field(default_factory=dict)
    """By the name of the release, where its answers are not the oracle's own."""
    load: Load | None = None

    def step(self, name: str, action: Callable[[], object]) -> None:
        """Does `action` while every API is asked for all customers, and once more when it is done."""
        started = time.monotonic()
        askers = [(api, Asker(self.scene, api.url)) for api in self.apis]
        for _, asker in askers:
            asker.start()
        try:
            action()
        finally:
            rounds = [(api, asker.end()) for api, asker in askers]
        seconds = time.monotonic() - started
        self.read_log()
        for api, answered in rounds:
            expected = Expected(self._oracle_of(api.release))
            tally, last = (
                judged(some, expected, api.versions, self.scene.settings) for some in (answered, answered[-1:])
            )
            self.rows.append(Row(name, api.release.name, seconds, answered, tally, last))
            self._tell(self.rows[-1])

    def last(self, release: Release) -> Tally:
        """What the API of that release answered after the last step."""
        return next(row.last for row in reversed(self.rows) if row.release == release.name)

    def means(self, release: Release, translated: Callable[[Iterable[RawRecord]], Iterable[RawRecord]]) -> None:
        """The answers of that release are judged on the log as `translated`."""
        oracle = Oracle([], self.scene.partitions, self.scene.settings.log.currency)
        self.meanings[release.name] = Meaning(oracle, translated)

    def read_log(self) -> None:
        """The oracles know the log up to now."""
        records = self.scene.log.refresh()
        self.scene.oracle.extend(records)
        for meaning in self.meanings.values():
            meaning.oracle.extend(meaning.translated(records))

    def command(self, release: Release, *arguments: str) -> str:
        """The output of a command of that release, which must end well."""
        return self.scene.start(*arguments, release=release).finish(PATIENCE_SECONDS)

    def fails(self, release: Release, *arguments: str) -> str:
        """The output of a command of that release, which must not end well."""
        child = self.scene.start(*arguments, release=release)
        code = child.process.wait(PATIENCE_SECONDS)
        assert code not in {0, None}, f"{child.name} ended with {code}: {child.tail()}"
        return child.tail(10_000)

    def api(self, release: Release) -> None:
        """One more API, which answers on a port of its own and is asked from now on."""
        taken = {api.url for api in self.apis}
        free = (port for port in range(18_360, 19_300) if ports.is_free(port))
        port = next(port for port in free if f"http://127.0.0.1:{port}" not in taken)
        serving = self.scene.settings.serving.model_copy(update={"port": port})
        child = Child(self.scene.settings.model_copy(update={"serving": serving}), "serve", release=release)
        self.scene.children.append(child)
        wait_until(lambda: ports.is_open(port), PATIENCE_SECONDS, f"the API of {release.name} listens: {child.tail()}")
        self.apis.append(Api(release, release.versions(), f"http://127.0.0.1:{port}", child))

    def worker(self, release: Release) -> None:
        """A worker of that release has joined the group and settled in it."""
        child = self.scene.start("speed", "run", release=release)
        wait_until(lambda: "event=settled" in child.output.read_text(errors="replace"), 180, f"{child.output} settles")
        self.workers[release.name] = child

    def worker_leaves(self, release: Release) -> None:
        """The worker of that release is stopped, and the others have applied all that the log held then."""
        self._worker_leaves(release.name)

    def _worker_leaves(self, name: str) -> None:
        worker = self.workers.pop(name)
        assert worker.stop() == 0, worker.tail()
        self.scene.wait_applied(self.scene.ends())

    def replace_worker(self, release: Release) -> None:
        """A worker of that release takes the place of the only other one."""
        [other] = self.workers
        self.worker(release)
        self._worker_leaves(other)

    def current(self) -> int:
        """The id of the current batch."""
        batch_id = publish.read(self.scene.session).current
        assert batch_id is not None
        return batch_id

    def published_at(self, batch_id: int) -> int:
        """When a batch that a slot holds was published, in microseconds since the epoch."""
        complete = publish.read(self.scene.session).complete
        return next(batch.published_at for batch in complete if batch.batch_id == batch_id)

    def begin_load(self, seed: int) -> None:
        messages = random_messages(seed, 10_000_000, customers=CUSTOMERS, partitions=self.scene.partitions)
        self.load = Load(self.scene.settings, messages, RATE)
        self.load.start()
        wait_until(lambda: sum(self.scene.ends().values()) > 2 * CUSTOMERS, 60, "the load has begun")
        self.read_log()

    def rest(self) -> None:
        """The load is over, and everything is applied."""
        assert self.load is not None
        self.load.end()
        self.scene.wait_applied(self.scene.ends())

    def killed_with_its_claim(self, release: Release) -> None:
        """A batch run of that release, killed with SIGKILL once it has claimed a slot."""
        before = publish.read(self.scene.session).claims
        batch = self.scene.start("batch", "run", release=release)

        def claimed() -> bool:
            return publish.read(self.scene.session).claims not in {(), before}

        wait_until(claimed, PATIENCE_SECONDS, f"{batch.output}: the batch claims a slot", every=0.02)
        batch.signal_group(signal.SIGKILL)
        batch.process.wait()

    def _oracle_of(self, release: Release) -> Oracle:
        meaning = self.meanings.get(release.name)
        return self.scene.oracle if meaning is None else meaning.oracle

    def _tell(self, row: Row) -> None:
        tally = row.tally
        self.console.print(
            f"{row.step} ({row.seconds:.0f} s), {row.release}: {tally.asked} answers, {tally.wrong} wrong, "
            f"{tally.degraded} degraded {dict(tally.why)}"
        )
        if tally.first_wrong:
            self.console.print(tally.first_wrong)


@contextmanager
def mixed(settings: Settings, first: Release, console: Console) -> Iterator[Mixed]:
    """A system on running servers whose schema is that of the release `first`; nothing runs in it yet.

    Its loads are full of poison, so the gate has few rules.
    """
    settings = with_few_rules(settings)
    Child(settings, "schema", "apply", release=first).finish(PATIENCE_SECONDS)
    partitions = settings.log.partitions
    with connected(patient(settings)) as session:
        oracle = Oracle([], partitions, settings.log.currency)
        scene = Stage(settings, session, partitions, LogReader(settings, partitions), oracle, url="")
        try:
            yield Mixed(scene, console)
        finally:
            for child in reversed(scene.children):
                child.stop()
