"""R18: facts of the speed layer against the recomputation's, and the sample that grows with the time left."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast
from unittest.mock import patch

import msgspec
import pytest

from batch_layer.audit import facts
from batch_layer.audit.facts import SLICES, Sampled, sampled
from batch_layer.audit.stored import Stored, differences
from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.master.table import PARSED
from batch_layer.master.validate import row_of
from batch_layer.view.images import COLUMNS, image_of
from common.algebra.cut import Cut
from common.algebra.facts import Fact, Image
from common.algebra.payloads import Order
from common.algebra.pointer import Plan
from common.log.normalizing import Rules
from common.settings import BatchSettings, Settings
from tests.support.builders import random_log
from tests.support.model import read

O1: Final = ("order", "o1")
OLD: Final = Image(1, Order(0, 100, "completed"))
NEW: Final = Image(2, Order(0, 200, "completed"))
PLAN: Final = Plan(1, Cut.of({0: 10, 1: 0}), "logic", "validation")
SECOND: Final = 1_000_000
SMALL: Final = 9
"""Records of a small log: one less than below the cut of `PLAN`."""


def test_the_masters_columns_give_back_every_image() -> None:
    """What validation writes into columns is read back as the event's own image; an erasure has none."""
    log = random_log(seed=9, count=800, customers=15)
    seen = 0
    for record in log.records:
        event = read(record, log.partitions)
        if event is None:
            continue
        values = row_of(
            record.partition, record.appended_at, record.key, record.value, log.partitions, Rules(currency="USD")
        )
        row = dict(zip(PARSED, values, strict=True)) | {"kafka_offset": record.offset}
        assert set(COLUMNS) <= set(row)
        assert image_of(row) == event.image
        seen += 1
    assert seen > 500


@pytest.mark.parametrize(
    ("stored", "expected", "wrong"),
    [
        (Stored(None, {O1: Fact(3, None, OLD)}), {O1: OLD}, []),
        (Stored(None, {O1: Fact(3, None, OLD)}), {O1: NEW}, [O1]),
        (Stored(None, {O1: Fact(10, OLD, NEW)}), {O1: OLD}, []),
        (Stored(None, {}), {O1: OLD}, [O1]),
        (Stored(None, {O1: Fact(3, None, OLD)}), {}, [O1]),
        (Stored(None, {O1: None}), {O1: OLD}, [O1]),
        (Stored(10, {}), {O1: OLD}, []),
        (Stored(9, {}), {O1: OLD}, [O1]),
        (Stored(5, {O1: Fact(3, None, OLD)}), {}, []),
    ],
    ids=[
        "the same",
        "another image",
        "changed at the cut, so what it was below is not compared",
        "no fact is stored",
        "a fact that the log does not give",
        "a cell that cannot be read",
        "erased at the cut, so nothing is compared",
        "erased below the cut, and a fact since",
        "a fact below the reset is absent",
    ],
)
def test_a_stored_fact_below_the_cut_is_the_logs(stored: Stored, expected: dict[Any, Image], wrong: list[Any]) -> None:
    assert differences(stored, expected, cut=10) == wrong


class Rounds:
    """Counts rounds in place of Spark; each slice takes some seconds of a clock of its own."""

    def __init__(self, seconds: float) -> None:
        self.now, self.seconds = 0, seconds
        self.slices: list[int] = []

    def add(self, total: Sampled, found: object, slices: int) -> None:
        self.slices.append(slices)
        self.now += int(slices * self.seconds * SECOND)
        total.slices += slices


@contextmanager
def sampling(rounds: Rounds) -> Iterator[None]:
    with (
        patch.object(facts, "_add", rounds.add),
        patch.object(facts, "compared", lambda *_: None),
        patch.object(master, "SMALL", SMALL),
        patch.object(master, "at_snapshot", lambda *_: _Rows()),
        patch.object(facts, "slice_of", _Column),
    ):
        yield


class _Column:
    def isin(self, _: object) -> None: ...


class _Rows:
    def where(self, _: object) -> None: ...


@pytest.mark.parametrize(
    ("seconds_a_slice", "expected"),
    [(0.01, [1, 1, 2, 4, 8, 16, 32]), (1.0, [1, 1, 2, 4]), (100.0, [1])],
    ids=["time for all", "as many as the time allows", "one slice in any case"],
)
def test_the_sample_grows_with_the_time_left(seconds_a_slice: float, expected: list[int]) -> None:
    rounds = Rounds(seconds_a_slice)
    settings = Settings(batch=BatchSettings(audit_fact_seconds=12.0))
    job = Job(settings, cast(Any, None), cast(Any, None), clock=lambda: rounds.now, report=lambda *_: None)

    with sampling(rounds):
        total = sampled(job, PLAN, 1, frozenset({0}), first=63)

    assert rounds.slices == expected
    assert total.slices == sum(expected) <= SLICES


def test_of_few_records_all_slices_are_one_round() -> None:
    """Each round is a query of Spark, whose cost is the same for a slice and for all."""
    rounds = Rounds(100.0)
    job = Job(Settings(), cast(Any, None), cast(Any, None), clock=lambda: rounds.now, report=lambda *_: None)
    small = msgspec.structs.replace(PLAN, cut=Cut.of({0: SMALL, 1: 0}))

    with sampling(rounds):
        total = sampled(job, small, 1, frozenset({0}), first=63)

    assert (rounds.slices, total.slices) == ([SLICES], SLICES)


def test_where_no_partition_with_records_has_passed_the_cut_nothing_is_read() -> None:
    """A batch that is published without a speed layer does not wait for Spark to compare nothing."""
    rounds = Rounds(1.0)
    job = Job(Settings(), cast(Any, None), cast(Any, None), clock=lambda: rounds.now, report=lambda *_: None)

    with sampling(rounds):
        total = sampled(job, PLAN, 1, frozenset({1}), first=0)

    assert (rounds.slices, total) == ([], Sampled())
