"""A system whose slot and deltas are written directly: no log is read, no batch runs."""

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import groupby, islice
from random import Random
from typing import Final, NamedTuple

from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent
from cassandra.query import BatchStatement, BatchType

from batch_layer.view.load import Writer
from common.algebra import pointer
from common.algebra.cut import Cut
from common.algebra.dates import MICROS_PER_DAY, day_of
from common.algebra.facts import Image, encode
from common.algebra.measures import MEASURES
from common.algebra.payloads import Order
from common.algebra.pointer import Claim, Plan, Pointer, Published
from common.algebra.state import State
from common.algebra.view_row import ViewRow
from common.progress import Progress, cells_of, insert_progress
from common.settings import Settings
from serving_layer.answer.provenance import Release
from tests.support.deltas import changed

AS_OF: Final = date(2024, 6, 30)
NAME: Final = "customer-{:07}"
DAYS: Final = 100
"""Days on which a customer did something, in three years."""
STATES: Final = 200
"""Different states; the customers share them."""
CUT: Final = 1_000
PROGRESS: Final = 10_000_000
TTL_SECONDS: Final = 2_592_000
ROWS: Final = 50
"""Deltas in one statement, at most."""


class Set(NamedTuple):
    """Customers in a row of numbers, each with so many deltas above the cut."""

    deltas: int
    first: int
    size: int

    def customer(self, number: int) -> str:
        return name_of(self.first + number)


def name_of(number: int) -> str:
    return NAME.format(number)


def sets_of(customers: int) -> Sequence[Set]:
    """Those of 5 and of 100 deltas at the beginning, all others without."""
    five, hundred = min(20_000, customers // 5), min(5_000, customers // 10)
    return Set(0, five + hundred, customers - five - hundred), Set(5, 0, five), Set(100, five, hundred)


def fill(session: Session, settings: Settings, customers: int) -> None:
    """A batch of all customers is published, and the deltas of the sets are there."""
    plan = plan_of(settings)
    writer = Writer(session, settings, Claim(1, "a", plan))
    states = list(_states(Random(1)))
    for number in range(customers):
        writer.write(name_of(number), states[number % STATES])
    writer.close()
    for each in sets_of(customers):
        write_deltas(session, _deltas(each))
    publish(session, plan, customers)


def publish(session: Session, plan: Plan, rows: int) -> None:
    done = Published(1, "a", plan, time.time_ns() // 1000, rows, "checksum")
    text = pointer.encode(Pointer(1, 1, (done,)))
    session.execute("INSERT INTO batch_pointer (name, value) VALUES (%s, %s)", (pointer.NAME, text))


def beat(session: Session, settings: Settings) -> None:
    """The speed layer is well, in every partition."""
    insert, now = session.prepare(insert_progress()), time.time_ns() // 1000
    version = Release.of(settings).validation_version
    for partition in range(settings.log.partitions):
        row = Progress(partition, 0, PROGRESS, PROGRESS, version, now, now)
        session.execute(insert, cells_of(1, row))


def write_deltas(session: Session, rows: Iterable[tuple[str, int, str]]) -> None:
    """Writes the rows; those of a customer that follow one another share statements."""
    insert = session.prepare(
        "INSERT INTO speed_deltas (customer_id, kafka_offset, value) VALUES (?, ?, ?) USING TTL ? AND TIMESTAMP ?"
    )

    def statements() -> Iterator[tuple[BatchStatement, tuple[()]]]:
        for _, of in groupby(rows, key=lambda row: row[0]):
            while chunk := list(islice(of, ROWS)):
                batch = BatchStatement(BatchType.UNLOGGED)
                for customer, offset, cell in chunk:
                    batch.add(insert, (customer, offset, cell, TTL_SECONDS, offset))
                yield batch, ()

    results = execute_concurrent(session, statements(), concurrency=32, results_generator=True)
    assert all(success for success, _ in results)


def delta_cell(number: int) -> str:
    """A correction of an order: the day and the amount move."""
    at = (day_of(AS_OF) - number % 1000) * MICROS_PER_DAY
    before, after = Order(at, 1250, "completed"), Order(at, 1250 + number, "completed")
    return encode(changed(f"o{number}", Image(at, before), Image(at + 1, after), at))


def plan_of(settings: Settings) -> Plan:
    release = Release.of(settings)
    cut = Cut.of(dict.fromkeys(range(settings.log.partitions), CUT))
    return Plan(1, cut, release.logic_version, release.validation_version)


def _states(random: Random) -> Iterator[str]:
    today = day_of(AS_OF)
    for _ in range(STATES):
        days = random.sample(range(today - 1095, today + 1), DAYS)
        yield ViewRow(State({day: _vector(random) for day in days})).to_json()


def _vector(random: Random) -> tuple[int, ...]:
    order = (1, random.randrange(100, 50_000))
    rest = (random.random() < 0.1 for _ in MEASURES[len(order) :])
    return (*order, *(int(each) for each in rest))


def _deltas(each: Set) -> Iterator[tuple[str, int, str]]:
    cells = [delta_cell(number) for number in range(each.deltas)]
    for number in range(each.size):
        for place, cell in enumerate(cells):
            yield each.customer(number), CUT + place, cell
