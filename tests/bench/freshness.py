"""From produce to a changed answer: single events, on an idle system or beside a steady load."""

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event
from random import Random
from statistics import median, quantiles

import httpx
from confluent_kafka import Producer

from common.servers.producer import producer
from common.settings import Settings
from tests.bench.throughput import CUSTOMERS, messages
from tests.support.builders import order
from tests.support.harness import wait_until
from tests.support.stage import Load, stage

EVENTS = 500
LOADED_EVENTS = 300
PROBES = 50
TIMEOUT_SECONDS = 60.0
CALM = 5
"""Before the first event the worker is seen to keep up with the load so often, a second apart."""
CALM_SECONDS = 0.3
"""It keeps up if it is behind by what comes in so long."""
LOAD_SECONDS = 90.0
"""So long a load lasts with records that were made before it began; further ones are made as they are sent."""
PAUSE_SECONDS = 0.02
"""Between two questions beside a load: the tester shares its two cores with everything else."""


def measure_freshness(stack: Settings) -> dict[str, float]:
    """Freshness on an idle system."""
    return _measure(stack, 0)


def measure_loaded_freshness(stack: Settings, rate: float) -> dict[str, float]:
    """Freshness while `rate` records a second of other customers are applied."""
    found = _measure(stack, rate)
    return {"load beside it, records/s": rate} | {f"under load: {what}": figure for what, figure in found.items()}


def _measure(stack: Settings, rate: float) -> dict[str, float]:
    """Milliseconds, p50 and p99, and beside them what a bare produce and a bare question take in the same run."""
    with stage(stack) as scene, httpx.Client(base_url=scene.url) as client, ExitStack() as stack_of_exits:
        scene.start("speed", "run")
        sender = producer(scene.settings, **{"linger.ms": 0})
        produced, answered, asked = [], [], []
        wait_until(lambda: len(scene.progress()) == scene.partitions, 60, "the worker has its partitions")
        stack_of_exits.enter_context(_beside(scene.settings, rate))
        if rate:
            wait_until(lambda: sum(scene.progress().values()) > CUSTOMERS, 120, "each customer of the load was met")
            for _ in range(CALM):  # a worker that has just begun is behind for some seconds
                wait_until(lambda: scene.lag() < rate * CALM_SECONDS, 120, "the worker has caught up with the load")
                time.sleep(1.0)
        probe = Probe(scene.settings, sender, client, PAUSE_SECONDS if rate else 0)
        for _ in range((LOADED_EVENTS if rate else EVENTS) + 1):
            acknowledged, visible = probe.send()
            produced.append(acknowledged)
            answered.append(visible)
            once_more = time.perf_counter()
            probe.ask()
            asked.append(time.perf_counter() - once_more)
    return {
        "produce to answer, p50, ms": 1000 * median(answered[1:]),
        "produce to answer, p99, ms": 1000 * quantiles(answered[1:], n=100)[98],
        "produce and acknowledge alone, p50, ms": 1000 * median(produced[1:]),
        "one question alone, p50, ms": 1000 * median(asked[1:]),
    }


@dataclass
class Probe:
    """Sends one order after another, of PROBES customers in turn, and asks until an answer has it."""

    settings: Settings
    sender: Producer
    client: httpx.Client
    pause: float
    """Seconds between two questions."""
    sent: int = 0

    def send(self) -> tuple[float, float]:
        """Returns the seconds until the order was acknowledged, and until an answer had it."""
        self.sent += 1
        message = order(self._customer, f"o{self.sent}", "2024-05-01", "1.00")
        started = time.perf_counter()
        self.sender.produce(self.settings.log.topic, key=message.key, value=message.value)
        self.sender.flush()
        acknowledged = time.perf_counter() - started
        while self.ask() != (self.sent - 1) // PROBES + 1:
            assert time.perf_counter() - started < TIMEOUT_SECONDS, f"order {self.sent} was not answered in time"
            time.sleep(self.pause)
        return acknowledged, time.perf_counter() - started

    def ask(self) -> int:
        """Returns how many orders the customer of the last one has."""
        response = self.client.get(f"/v1/customers/{self._customer}/metrics", params={"as_of": "2024-06-30"})
        return int(response.json()["metrics"]["order_count"]) if response.status_code == 200 else 0

    @property
    def _customer(self) -> str:
        return f"probe-{self.sent % PROBES}"


@contextmanager
def _beside(settings: Settings, rate: float) -> Iterator[None]:
    """A load of `rate` records a second, in a process of its own: its interpreter's lock is not the tester's."""
    if not rate:
        yield
        return
    context = multiprocessing.get_context("spawn")
    made, ending, failures = context.Event(), context.Event(), context.SimpleQueue()
    process = context.Process(target=_load, args=(settings, rate, made, ending, failures), daemon=True)
    process.start()
    made.wait()
    try:
        yield
    finally:
        ending.set()
        process.join()
    assert failures.empty(), failures.get()


def _load(settings: Settings, rate: float, made: Event, ending: Event, failures: "SimpleQueue[object]") -> None:
    records = messages(Random(2), 10_000_000)
    # Making a record takes half as long as applying it: those that are sent are made before the clock begins.
    first = list(islice(records, round(rate * LOAD_SECONDS)))
    made.set()
    load = Load(settings, chain(first, records), rate)
    load.start()
    ending.wait()
    load.stop()
    if load.failures:
        failures.put(load.failures[:3])
