"""A stage for faults, benches and the end-to-end test: servers of its own, a speed worker or two, the API, a load."""

import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

from cassandra.cluster import Session

from common.servers.cassandra import connected
from common.servers.kafka import end_offsets
from common.servers.producer import producer
from common.settings import Settings
from common.waiting import read_progress
from infra.local.stack import ports, servers
from infra.proof.comparison import Verdict, ask_all, judge
from infra.proof.log_reader import LogReader
from infra.proof.oracle import Oracle
from tests.support import guard
from tests.support.builders import Message
from tests.support.harness import Child, wait_until
from tests.support.release import THIS, Release
from tests.support.systems import new_system, patient, patient_stack, with_few_rules

FLUSH_SECONDS: Final = 60.0
"""How long a load waits at its end for acknowledgements."""
PACE_SECONDS: Final = 0.002
"""A load is never further ahead of its rate. To sleep after each record would cost it half of a core."""
ANY_PARTITION: Final = -1
"""Leaves the choice to the producer's partitioner."""


@contextmanager
def own_stack() -> Iterator[Settings]:
    """A real Kafka and Cassandra in a folder of their own; gone at the end, even if this process is killed.

    SIGTERM ends this process as an exit does, so that it also stops the children that it started. A second one does not
    disturb that: `timeout` and a shell may both send it.
    """
    signal.signal(signal.SIGTERM, _end)
    folder = Path(tempfile.mkdtemp(prefix="lambda360-stage-"))
    watcher = guard.start(folder)
    settings = Settings(home=folder / "stack", stack=patient_stack())
    try:
        servers.up(settings)
        yield settings
    finally:
        guard.clear(folder)
        watcher.kill()
        watcher.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _end(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(143)


class Load(threading.Thread):
    """Produces `messages` at `rate` a second until they or it end; all that was sent is acknowledged then."""

    def __init__(self, settings: Settings, messages: Iterable[Message], rate: float) -> None:
        super().__init__(daemon=True)
        self._settings, self._messages, self._rate = settings, messages, rate
        self._ending = threading.Event()
        self._acknowledged = 0
        self.sent = 0
        self.failures: list[str] = []

    def run(self) -> None:
        client, started = producer(self._settings, **{"queue.buffering.max.messages": 1_000_000}), time.monotonic()
        for message in self._messages:
            if self._ending.is_set():
                break
            where = ANY_PARTITION if message.partition is None else message.partition
            topic = self._settings.log.topic
            client.produce(topic, message.value, message.key, where, on_delivery=self._delivered)
            self.sent += 1
            left = self.sent / self._rate - (time.monotonic() - started)
            if left > PACE_SECONDS:
                client.poll(0)
                time.sleep(left)
        if left := client.flush(FLUSH_SECONDS):
            self.failures.append(f"{left} records were not acknowledged within {FLUSH_SECONDS:g} s of the last one")
            client.purge()
            client.flush(FLUSH_SECONDS)

    def send_all(self) -> int:
        """Send every message, and the number of records, each of which was acknowledged."""
        self.start()
        self.join()
        return self.end()

    def end(self) -> int:
        """Stop, and the number of records, each of which was acknowledged."""
        self.stop()
        assert not self.failures, self.failures[:3]
        return self.sent

    def stop(self) -> int:
        """Stop, and the number of records that were acknowledged, whatever became of the others."""
        self._ending.set()
        self.join()
        return self._acknowledged

    def _delivered(self, error: object, _: object) -> None:
        if error is None:
            self._acknowledged += 1
        else:
            self.failures.append(str(error))


@dataclass
class Stage:
    """One running system, seen from outside."""

    settings: Settings
    session: Session
    partitions: int
    log: LogReader
    oracle: Oracle
    url: str
    children: list[Child] = field(default_factory=list)

    def start(self, *arguments: str, name: str = "", release: Release = THIS) -> Child:
        child = Child(self.settings, *arguments, name=name, release=release)
        self.children.append(child)
        return child

    def ends(self) -> dict[int, int]:
        return dict(end_offsets(self.settings, self.partitions))

    def progress(self) -> dict[int, int]:
        """What the speed layer has applied, by partition."""
        return {row.partition: row.next_offset for row in read_progress(self.session).values()}

    def lag(self) -> int:
        """Records that the log has and the speed layer has not applied."""
        applied = self.progress()
        return sum(end - applied.get(partition, 0) for partition, end in self.ends().items())

    def wait_applied(self, ends: dict[int, int], timeout: float = 180.0) -> float:
        """Seconds until everything below `ends` is applied."""

        def reached() -> bool:
            applied = self.progress()
            return all(applied.get(partition, 0) >= end for partition, end in ends.items())

        return wait_until(reached, timeout, f"the speed layer reaches {ends}")

    def check(self, as_of: date) -> Verdict:
        """Every customer's served answer against the oracle; the log may go on meanwhile.

        The log is read once more after the asking, so that it holds every offset that an answer can name.
        """
        self.oracle.extend(self.log.refresh())
        entries = ask_all(self.url, self.oracle.mentioned, as_of)
        self.oracle.extend(self.log.refresh())
        return judge(entries, self.oracle, as_of)


@contextmanager
def stage(stack: Settings, *, partitions: int = 4, **overrides: object) -> Iterator[Stage]:
    """A fresh system with its API up and no worker yet; `overrides` replace groups of its settings."""
    port = next(port for port in range(18_360, 19_300) if ports.is_free(port))
    settings = new_system(stack, partitions=partitions)
    serving = settings.serving.model_copy(update={"port": port})
    settings = with_few_rules(settings.model_copy(update={"serving": serving, **overrides}))
    with ExitStack() as stack_of_exits:
        session = stack_of_exits.enter_context(connected(patient(settings)))
        url = f"http://127.0.0.1:{port}"
        oracle = Oracle([], partitions, settings.log.currency)
        scene = Stage(settings, session, partitions, LogReader(settings, partitions), oracle, url)
        stack_of_exits.callback(lambda: [child.stop() for child in reversed(scene.children)])
        scene.start("serve")
        wait_until(lambda: not ports.is_free(port), 30, "the API listens")
        yield scene
