"""Published batches of masters in memory, without a log and servers, and what their export leaves."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from batch_layer.export import warehouse
from batch_layer.job import Job
from batch_layer.master.table import Head
from common.algebra.dates import MICROS_PER_DAY, day_of
from common.algebra.pointer import Plan, Published
from common.algebra.versions import logic_version
from infra.proof.oracle import Oracle

Row = dict[str, Any]


def published(head: Head, on: date, batch_id: int = 1, slot: str = "a") -> Published:
    """The batch of all that the master holds, published on that day."""
    plan = Plan(head.snapshot, head.offsets, logic_version(), head.validation_version)
    at = day_of(on) * MICROS_PER_DAY + 5_000_000
    return Published(batch_id=batch_id, slot=slot, plan=plan, published_at=at, rows=0, checksum="")


def warehouse_rows(job: Job) -> dict[tuple[date, str], Row]:
    """Every row of the warehouse by day and customer."""
    rows = [row.asDict() for row in job.spark.table(warehouse.table(job.settings)).collect()]
    found = {(row["as_of"], row["customer_id"]): row for row in rows}
    assert len(found) == len(rows), "one row a customer and day"
    return found


def answer_of(row: Row, names: Mapping[str, object]) -> Row:
    """The metrics of a row in an answer's form: decimals and dates as text."""
    return {
        name: value if value is None or isinstance(value, bool | int | str) else str(value)
        for name, value in row.items()
        if name in names
    }


def oracle_row(oracle: Oracle, customer: str, as_of: date) -> Row:
    """What the oracle says of a customer: every metric, country and segment."""
    answer = oracle.answer(customer, as_of)
    assert answer is not None
    profile = oracle.profile(customer) or {}
    return {**answer, "country": profile.get("country"), "segment": profile.get("segment")}
