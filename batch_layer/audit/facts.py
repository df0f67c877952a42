"""Compares the speed layer's facts below the new cut with the recomputation's current facts, for a sample (R18)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from batch_layer.audit.stored import Entity, Facts, differences
from batch_layer.audit.tally import NAMED
from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.master.ranges import below
from batch_layer.session import spark_errors
from batch_layer.view.images import COLUMNS, image_of
from batch_layer.view.load import Task
from common.algebra.cut import Cut
from common.algebra.facts import Image
from common.algebra.payloads import ERASURE
from common.algebra.pointer import Plan
from common.log.partition import partition_of
from common.servers.cassandra import connected
from common.settings import Settings

SLICES: Final = 64
"""The customers are cut into so many slices by a hash; a sample is a number of slices."""
FACTS: Final = "customers bigint, facts bigint, wrong array<string>"
_ENTITY: Final = ("kind", "entity_id")
_CHUNK: Final = 16
"""The customers of one statement, which is answered in one page."""


@dataclass(slots=True)
class Sampled:
    """The result of a sample."""

    customers: int = 0
    facts: int = 0
    slices: int = 0
    wrong: tuple[str, ...] = ()
    """Customers with a fact that is not the recomputation's, the first NAMED of them."""


def sampled(job: Job, plan: Plan, generation: int, passed: frozenset[int], *, first: int) -> Sampled:
    """Compares slice after slice from number `first` on, until `batch.audit_fact_seconds` have passed.

    The customers of the partitions `passed` are compared. Each round takes as many slices as all before together, and
    is begun only if twice the time of the last one is left. The first is taken in any case; the rounds end when no
    slice is left. Of at most `master.SMALL` records, the first round takes all slices. `first` should differ from run
    to run, so that every customer has its turn. Where no partition with records has passed the cut, nothing is
    compared.
    """
    total = Sampled()
    if not any(plan.cut[partition] for partition in passed):
        return total
    deadline = job.clock() + int(job.settings.batch.audit_fact_seconds * 1e6)
    took = 0
    while total.slices < SLICES and (total.slices == 0 or job.clock() + 2 * took <= deadline):
        begun = job.clock()
        count = SLICES if master.is_small(plan.cut) else min(max(total.slices, 1), SLICES - total.slices)
        chosen = [(first + total.slices + number) % SLICES for number in range(count)]
        rows = master.at_snapshot(job, plan.snapshot).where(slice_of().isin(chosen))
        _add(total, compared(rows, plan.cut, job.settings, generation, passed), count)
        took = job.clock() - begun
    return total


def slice_of() -> Column:
    """Returns the column of a customer's slice."""
    return F.pmod(F.xxhash64("customer_id"), F.lit(SLICES))


def compared(rows: DataFrame, cut: Cut, settings: Settings, generation: int, passed: frozenset[int]) -> DataFrame:
    """Returns the query of the columns `FACTS` over these rows of the master: the comparison in each task.

    There is one task, and so one connection, for each core. A task has all of a customer's rows, one after the other.
    """
    tasks = rows.sparkSession.sparkContext.defaultParallelism
    expected = _current_facts(below(rows, cut)).select(*COLUMNS).coalesce(tasks)
    return expected.mapInArrow(_task(cut, settings, generation, passed), FACTS)


def _add(total: Sampled, found: DataFrame, slices: int) -> None:
    with spark_errors("auditing the facts"):
        for row in found.collect():  # one row a task
            total.customers += row["customers"]
            total.facts += row["facts"]
            total.wrong = (*total.wrong, *row["wrong"])[:NAMED]
    total.slices += slices


def _task(cut: Cut, settings: Settings, generation: int, passed: frozenset[int]) -> Task:
    partitions = len(cut.offsets)

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        customers = facts = 0
        wrong: list[str] = []
        with connected(settings, metadata=False) as session:
            reads = Facts(session, generation)
            for chunk in _chunks(_by_customer(batches)):
                chosen = {each: images for each, images in chunk.items() if partition_of(each, partitions) in passed}
                stored = reads.of(list(chosen))
                for customer, images in chosen.items():
                    if differences(stored[customer], images, cut[partition_of(customer, partitions)]):
                        wrong.append(customer)
                customers += len(chosen)
                facts += sum(map(len, chosen.values()))
        yield pa.RecordBatch.from_arrays(
            [
                pa.array([customers], pa.int64()),
                pa.array([facts], pa.int64()),
                pa.array([wrong[:NAMED]], pa.list_(pa.string())),
            ],
            names=["customers", "facts", "wrong"],
        )

    return run


def _by_customer(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[str, dict[Entity, Image]]]:
    """The expected images by customer. A task's rows are sorted by customer, since their query's windows are."""
    rows: Iterator[dict[str, Any]] = (row for batch in batches for row in batch.to_pylist())
    for customer, members in groupby(rows, key=itemgetter("customer_id")):
        images = ((row["kind"], row["entity_id"], image_of(row)) for row in members)
        yield customer, {(kind, entity_id): image for kind, entity_id, image in images if image is not None}


def _chunks(customers: Iterator[tuple[str, dict[Entity, Image]]]) -> Iterator[dict[str, dict[Entity, Image]]]:
    chunk: dict[str, dict[Entity, Image]] = {}
    for customer, expected in customers:
        chunk[customer] = expected
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = {}
    if chunk:
        yield chunk


def _current_facts(rows: DataFrame) -> DataFrame:
    """Returns each entity's current row: of those above its customer's last reset, the one to count (R4, R24).

    It is the row of greatest (version, retracted, offset). The rows of a customer lie one after the other.
    """
    # Both windows have the same order, so that one sort serves both.
    latest_first = F.col("version").desc(), F.col("retracted").desc(), F.col("kafka_offset").desc()
    of_customer = Window.partitionBy("customer_id").orderBy(*_ENTITY, *latest_first)
    whole = of_customer.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    of_entity = Window.partitionBy("customer_id", *_ENTITY).orderBy(*latest_first)
    reset = F.max(F.when(F.col("kind") == ERASURE, F.col("kafka_offset"))).over(whole)
    return (
        rows.withColumn("reset", reset)
        .where(F.col("reset").isNull() | (F.col("kafka_offset") > F.col("reset")))
        .withColumn("rank", F.row_number().over(of_entity))
        .where(F.col("rank") == 1)
    )
