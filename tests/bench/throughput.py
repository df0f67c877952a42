"""One speed worker against a backlog, and beside it the bare driver writing the same mutations."""

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from threading import Semaphore

from cassandra.cluster import Session
from cassandra.query import BatchStatement, BatchType

from common.facts import Delta, Fact, Image, Order, encode
from common.settings import Settings
from tests.builders import Message, order
from tests.harness import Child, wait_until
from tests.stage import Load, Stage, stage

RECORDS = 60_000
CUSTOMERS = 20_000
CORRECTIONS = 0.05
WARM_UP = 0.15
"""The share of the backlog that is applied before the clock starts."""
IN_FLIGHT = 128


def measure_throughput(stack: Settings) -> dict[str, float]:
    """Records a second of a worker, its memory, and its ratio to the bare driver's mutations a second."""
    speed = stack.speed.model_copy(update={"progress_interval_seconds": 0.25})
    with stage(stack, speed=speed) as scene:
        load = Load(scene.settings, _messages(Random(1)), rate=1e9)
        load.start()
        load.join()
        worker = scene.start("speed", "run")
        rate = _drain(scene)
        peak, after = _memory(worker)
        worker.stop()
        bare = _bare(scene.session)
    return {
        "records/s of one worker": rate,
        "mutations/s of the bare driver": bare,
        "worker / bare driver": rate / bare,
        "worker's memory, peak, MiB": peak,
        "worker's memory, at the end, MiB": after,
    }


def _messages(random: Random) -> Iterator[Message]:
    """New orders, and corrections of earlier ones."""
    for number in range(RECORDS):
        which, version = number, "2024-05-01"
        if number and random.random() < CORRECTIONS:
            which, version = random.randrange(number), f"2024-05-02T00:00:00.{number:06}Z"
        yield order(f"customer-{which % CUSTOMERS}", f"o{which}", "2024-05-01", "12.50", updated_at=version)


def _drain(scene: Stage) -> float:
    def applied() -> int:
        return sum(scene.progress().values())

    wait_until(lambda: applied() >= WARM_UP * RECORDS, 120, "the worker is warm", every=0.02)
    began, first = time.perf_counter(), applied()
    wait_until(lambda: applied() >= RECORDS, 300, "the backlog is applied", every=0.02)
    return (RECORDS - first) / (time.perf_counter() - began)


def _memory(worker: Child) -> tuple[float, float]:
    """Peak and present resident memory, MiB."""
    lines = Path(f"/proc/{worker.process.pid}/status").read_text().splitlines()
    found = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith(("VmHWM", "VmRSS"))}
    return found["VmHWM"] / 1024, found["VmRSS"] / 1024


def _bare(session: Session) -> float:
    """Mutations a second of a fact and its delta, as the worker writes them, with nothing else done."""
    fact = session.prepare(
        "INSERT INTO speed_facts (customer_id, kind, entity_id, value) VALUES (?, ?, ?, ?) USING TIMESTAMP ?"
    )
    delta = session.prepare(
        "INSERT INTO speed_deltas (customer_id, kafka_offset, value) VALUES (?, ?, ?) USING TTL ? AND TIMESTAMP ?"
    )
    image = Image(1_714_521_600_000_000, Order(1_714_521_600_000_000, 1250, "completed"))
    slots, count = Semaphore(IN_FLIGHT), RECORDS // 2

    def write(number: int) -> None:
        slots.acquire()
        batch = BatchStatement(BatchType.UNLOGGED)
        customer = f"bare-{number % CUSTOMERS}"
        batch.add(fact, (customer, "order", f"o{number}", encode(Fact(number, None, image)), number))
        batch.add(delta, (customer, number, encode(Delta(f"o{number}", None, image, 0)), 2_592_000, number))
        session.execute_async(batch).add_callbacks(lambda _: slots.release(), lambda _: slots.release())

    began = time.perf_counter()
    for number in range(count):
        write(number)
    for _ in range(IN_FLIGHT):
        slots.acquire()
    return count / (time.perf_counter() - began)
