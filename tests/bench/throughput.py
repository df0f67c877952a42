"""Speed workers against a backlog, and beside them the bare driver writing the same mutations without Faust."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from threading import Semaphore
from typing import Final

import psutil
from cassandra.cluster import Session
from cassandra.query import BatchStatement, BatchType, PreparedStatement

from common.algebra.facts import Fact, Image, encode
from common.algebra.payloads import Order
from common.settings import Settings
from tests.support.builders import Message, order
from tests.support.deltas import changed
from tests.support.harness import Child, wait_until
from tests.support.speed_system import shared
from tests.support.stage import Load, Stage, stage

RECORDS: Final = 240_000
"""So many that one pause of Cassandra decides nothing, and that two workers have their partitions before the half."""
CUSTOMERS: Final = 20_000
CORRECTIONS: Final = 0.05
WARM_UP: Final = 0.2
"""The share of the backlog that is applied before the clock starts."""
WARMING: Final = 200_000
"""Records that are applied before anything is measured.

Cassandra's JVM compiles meanwhile: its first 40,000 records cost it 220 us of CPU each, those after 200,000 some 60.
"""
IN_FLIGHT: Final = (16, 32, 64, 128, 256, 512)
BARE_MUTATIONS: Final = 40_000
"""Mutations that the bare driver writes at each number in flight: some seconds, as the best of short times is luck."""
GROUP: Final = 20
"""Mutations in a statement of the grouped bare driver: as many as the worker's, at most."""


IMAGE: Final = Image(1_714_521_600_000_000, Order(1_714_521_600_000_000, 1250, "completed"))


@dataclass(frozen=True, slots=True)
class Drained:
    """Records a second over the whole group of workers; CPU and memory are of the workers' own processes."""

    rate: float
    micros_of_cpu: float
    mebibytes: float


def warm(stack: Settings) -> None:
    """Have Cassandra compile what the workers ask of it."""
    with _backlog(stack, WARMING) as scene:
        _drain(scene, workers=1, records=WARMING)


def measure_speed(stack: Settings) -> dict[str, float]:
    """Records a second of one worker and of two, and their ratio to the bare driver's mutations a second."""
    with _backlog(stack) as scene:
        one = _drain(scene, workers=1)
        best, at = max((_bare(scene.session, in_flight), in_flight) for in_flight in IN_FLIGHT)
        grouped = max(_bare(scene.session, in_flight, GROUP) for in_flight in IN_FLIGHT[:3])
    with _backlog(stack) as scene:
        two = _drain(scene, workers=2)
    return {
        "records/s of one worker": one.rate,
        "records/s of two workers": two.rate,
        "mutations/s of the bare driver, at its best": best,
        "statements in flight at that": at,
        "one worker / bare driver": one.rate / best,
        "two workers / bare driver": two.rate / best,
        "mutations/s of the bare driver, 20 in a statement": grouped,
        "one worker / that": one.rate / grouped,
        "CPU of one worker, us a record": one.micros_of_cpu,
        "memory of one worker, MiB": one.mebibytes,
    }


@contextmanager
def _backlog(stack: Settings, records: int = RECORDS) -> Iterator[Stage]:
    """A fresh system with so many records in its log, and no worker yet."""
    speed = stack.speed.model_copy(update={"progress_interval_seconds": 0.25})
    with stage(stack, speed=speed) as scene:
        load = Load(scene.settings, messages(Random(1), records), rate=1e9)
        assert load.send_all() == records
        yield scene


def messages(random: Random, records: int = RECORDS) -> Iterator[Message]:
    """New orders, and corrections of earlier ones."""
    for number in range(records):
        which, version = number, "2024-05-01"
        if number and random.random() < CORRECTIONS:
            which, version = random.randrange(number), f"2024-05-02T00:00:00.{number:06}Z"
        yield order(f"customer-{which % CUSTOMERS}", f"o{which}", "2024-05-01", "12.50", updated_at=version)


def _drain(scene: Stage, workers: int, records: int = RECORDS) -> Drained:
    def applied() -> int:
        return sum(scene.progress().values())

    children = [scene.start("speed", "run", name=f"worker-{number}") for number in range(workers)]
    wait_until(lambda: applied() >= WARM_UP * records, 180, "the workers are warm", every=0.02)
    if workers > 1:  # one alone has all partitions, until the group has heard of the other
        wait_until(lambda: shared(*children), 60, "each worker has its share", every=0.02)
        assert applied() < records / 2, "one worker has applied most of it before the other had its share"
    began, first, cpu = time.perf_counter(), applied(), sum(map(cpu_seconds, children))
    wait_until(lambda: applied() >= records, 300, "the backlog is applied", every=0.02)
    seconds, count = time.perf_counter() - began, records - first
    used = sum(map(cpu_seconds, children)) - cpu
    memory = max(map(peak_mebibytes, children))
    for child in children:
        child.stop()
    return Drained(count / seconds, 1e6 * used / count, memory)


def cpu_seconds(child: Child) -> float:
    """CPU that the child's process has used, all its threads together."""
    used = psutil.Process(child.process.pid).cpu_times()
    return used.user + used.system


def peak_mebibytes(child: Child) -> float:
    """The child's greatest resident memory so far."""
    return peak_mebibytes_of(child.process.pid)


def peak_mebibytes_of(pid: int) -> float:
    """A process's greatest resident memory so far, which psutil does not report."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _bare(session: Session, in_flight: int, group: int = 1) -> float:
    """Mutations a second of a fact and its delta, as the worker writes them, with nothing else done.

    `group` of them go in one statement.
    """
    fact = session.prepare(
        "INSERT INTO speed_facts (customer_id, kind, entity_id, value) VALUES (?, ?, ?, ?) USING TIMESTAMP ?"
    )
    delta = session.prepare(
        "INSERT INTO speed_deltas (customer_id, kafka_offset, value) VALUES (?, ?, ?) USING TTL ? AND TIMESTAMP ?"
    )
    slots, failures = Semaphore(in_flight), list[object]()

    def failed(error: object) -> None:
        failures.append(error)
        slots.release()

    began = time.perf_counter()
    for start in range(0, BARE_MUTATIONS, group):
        slots.acquire()
        batch = BatchStatement(BatchType.UNLOGGED)
        for number in range(start, start + group):
            _add(batch, fact, delta, number)
        session.execute_async(batch).add_callbacks(lambda _: slots.release(), failed)
    for _ in range(in_flight):
        slots.acquire()
    assert not failures, failures[0]
    return BARE_MUTATIONS / (time.perf_counter() - began)


def _add(batch: BatchStatement, fact: PreparedStatement, delta: PreparedStatement, number: int) -> None:
    customer = f"bare-{number % CUSTOMERS}"
    batch.add(fact, (customer, "order", f"o{number}", encode(Fact(number, None, IMAGE)), number))
    batch.add(delta, (customer, number, encode(changed(f"o{number}", None, IMAGE, 0)), 2_592_000, number))
