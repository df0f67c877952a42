"""The running system as a tester holds it: child processes, the raw log, and every served answer against the oracle.

Used by the end-to-end test, `make faults`, `make bench` and the demo: one comparison for all of them.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
from confluent_kafka import KafkaError, TopicPartition

from common.servers.kafka import consumer, end_offsets
from common.settings import Settings, environment_of
from infra.proof.oracle import Oracle, Record

REFUSED_SECONDS = 120.0
"""How long the API may say that it cannot answer for now, at most."""
CHUNK = 500
"""Customers asked for in one batch-get."""


class Child:
    """A `lambda360` command in a process group of its own, its output in a file."""

    def __init__(self, settings: Settings, *arguments: str, name: str = "") -> None:
        self.name = name or "-".join(arguments)
        self.output = settings.home / "logs" / f"{self.name}-{time.monotonic_ns()}.log"
        self.output.parent.mkdir(parents=True, exist_ok=True)
        environ = {k: v for k, v in os.environ.items() if not k.startswith("LAMBDA360_")} | environment_of(settings)
        command = [str(Path(sys.executable).parent / "lambda360"), *arguments]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the command and all of its own children; one that has ended is left alone."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        self.signal_group(signal.SIGKILL)
        self.process.wait()

    def stop(self, timeout: float = 40.0) -> int:
        """End the command with SIGTERM, and with SIGKILL if it does not; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode

    def finish(self, timeout: float) -> str:
        """Its output once it has ended well. Raises AssertionError with the output's tail otherwise."""
        code = self.process.wait(timeout)
        text = self.output.read_text(errors="replace")
        assert code == 0, f"{self.name} ended with {code}:\n{text[-3000:]}"
        return text

    def tail(self, characters: int = 2000) -> str:
        return self.output.read_text(errors="replace")[-characters:]


@contextmanager
def running(settings: Settings, *arguments: str, name: str = "") -> Iterator[Child]:
    """A child that is stopped at the end, whatever happened."""
    child = Child(settings, *arguments, name=name)
    try:
        yield child
    finally:
        child.stop()


class LogReader:
    """The raw log so far, or another topic: `records` grows with each `refresh`, which reads up to the end at its call.

    The other topic, if there is one, has as many partitions.
    """

    def __init__(self, settings: Settings, partitions: int, topic: str | None = None) -> None:
        log = settings.log.model_copy(update={"topic": topic or settings.log.topic})
        self._settings, self._partitions = settings.model_copy(update={"log": log}), partitions
        self._next = dict.fromkeys(range(partitions), 0)
        self.records: list[Record] = []

    def refresh(self) -> list[Record]:
        """The records that are new since the last call, in offset order within a partition."""
        ends = end_offsets(self._settings, self._partitions)
        behind = {p: end for p, end in ends.items() if self._next[p] < end}
        reader = consumer(self._settings, "lambda360-log-reader")
        reader.assign([TopicPartition(self._settings.log.topic, p, self._next[p]) for p in behind])
        new: list[Record] = []
        try:
            while behind:
                for message in reader.consume(5000, timeout=1.0):
                    error = message.error()
                    partition, offset = message.partition() or 0, message.offset() or 0
                    if error is None:
                        at = message.timestamp()[1] * 1000
                        new.append(Record(partition, offset, message.key(), message.value(), at))
                    elif error.code() == KafkaError._PARTITION_EOF:
                        behind.pop(partition, None)
                    else:
                        raise RuntimeError(error.str())
        finally:
            reader.close()
        for record in new:
            self._next[record.partition] = max(self._next[record.partition], record.offset + 1)
        self.records.extend(new)
        return new


@dataclass
class Verdict:
    """How the served answers compare with the oracle's, each at the offset the answer names."""

    customers: int = 0
    exact: int = 0
    degraded: int = 0
    wrong: int = 0
    sources: Counter[str] = field(default_factory=Counter)
    """Customers answered from `batch only`, `speed only`, `both` or `neither` (unknown ones)."""
    reasons: Counter[str] = field(default_factory=Counter)
    first_difference: dict[str, Any] | None = None
    seconds: float = 0.0

    @property
    def right(self) -> bool:
        return self.customers > 0 and self.wrong == 0 and self.degraded == 0


def compare(url: str, oracle: Oracle, customers: Iterable[str], as_of: date) -> Verdict:
    """Ask for every customer over REST, and judge each answer; the oracle must know the log up to now."""
    started = time.monotonic()
    verdict = judge(ask_all(url, customers, as_of), oracle, as_of)
    verdict.seconds = time.monotonic() - started
    return verdict


def ask_all(url: str, customers: Iterable[str], as_of: date) -> list[dict[str, Any]]:
    """The served entries of all customers."""
    ids = list(customers)
    chunks = [ids[i : i + CHUNK] for i in range(0, len(ids), CHUNK)]
    with httpx.Client(base_url=url, timeout=120.0) as client, ThreadPoolExecutor(2) as pool:
        return [entry for entries in pool.map(lambda chunk: ask(client, chunk, as_of), chunks) for entry in entries]


def judge(entries: Iterable[dict[str, Any]], oracle: Oracle, as_of: date) -> Verdict:
    """Each entry against the oracle's answer at the offset that the entry names."""
    verdict = Verdict()
    for entry in entries:
        _judge(verdict, entry, oracle, as_of)
    return verdict


def ask(client: httpx.Client, customers: Sequence[str], as_of: date) -> list[dict[str, Any]]:
    """The entries of one batch-get, in the order asked. A 503 is no answer, right or wrong: it is asked again."""
    body = {"customer_ids": list(customers), "as_of": as_of.isoformat()}
    deadline = time.monotonic() + REFUSED_SECONDS
    while True:
        response = client.post("/v1/customers/metrics:batch-get", json=body)
        if response.status_code != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
            break
        time.sleep(float(response.headers["Retry-After"]))
    response.raise_for_status()
    results: list[dict[str, Any]] = response.json()["results"]
    return results


def _judge(verdict: Verdict, result: dict[str, Any], oracle: Oracle, as_of: date) -> None:
    provenance, customer = result["provenance"], result["customer_id"]
    verdict.customers += 1
    below = {provenance["log"]["partition"]: provenance["log"]["next_offset"]}
    expected = oracle.answer(customer, as_of, below)
    served = result["metrics"] if result["status"] == "ok" else None
    if result["status"] == "error" or served != expected:
        verdict.wrong += 1
        verdict.first_difference = verdict.first_difference or {"expected": expected, "served": result}
    elif provenance["status"] == "exact":
        verdict.exact += 1
    else:
        verdict.degraded += 1
        verdict.reasons.update(provenance["reasons"])
    verdict.sources[_source(provenance, oracle, customer)] += 1


def _source(provenance: dict[str, Any], oracle: Oracle, customer: str) -> str:
    """Which layers an answer came from; the batch layer has a row for whomever the log below its cut knows."""
    partition, batch = provenance["log"]["partition"], provenance["batch"]
    in_batch = batch is not None and bool(oracle.current(customer, {partition: batch["cut"].get(str(partition), 0)}))
    if provenance["speed"]["deltas"]:
        return "both" if in_batch else "speed only"
    return "batch only" if in_batch else "neither"


def wait_until(condition: Callable[[], bool], timeout: float, what: str, every: float = 0.1) -> float:
    """Seconds until `condition` held. Raises TimeoutError, which says `what` never came."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > timeout:
            raise TimeoutError(f"not within {timeout:.0f} s: {what}")
        time.sleep(every)
    return time.monotonic() - started
