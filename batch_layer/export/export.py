"""The export of a published batch: its day in the warehouse, its features, its slot's rankings. Changes no view."""

from datetime import date

from pyspark.sql import DataFrame

from batch_layer.export import features, rankings, warehouse
from batch_layer.export.presented import day_of_batch, is_of_other_logic, presented, states_of
from batch_layer.job import Job
from batch_layer.master import table as master
from common.algebra.dates import datetime_of
from common.algebra.pointer import Published


def export(job: Job, batch: Published) -> str:
    """Makes the day on which the batch was published hold the batch's customers, and its slot their rankings.

    And makes the batch's partition of `features` hold what it knew of them.

    Returns what was done, in one line. Idempotent: killed anywhere, or repeated, it leaves the same rows. Does nothing
    for a batch of another logic version, which an upgrade may have left unfinished. Raises BatchError if it fails.
    """
    if is_of_other_logic(batch):
        return f"left out: batch {batch.batch_id} is of logic version {batch.plan.logic_version}"
    day = day_of_batch(batch)
    rows, told = day_replaced(job, batch, day)
    known = features_replaced(job, batch, day, rows)
    count = rankings.load(job, rows, batch, day, in_one_task=master.is_small(batch.plan.cut))
    return f"{told}, {known}, {count} rankings"


def day_replaced(job: Job, batch: Published, day: date) -> tuple[DataFrame, str]:
    """Replaces a day in the warehouse by what the batch knows of it, unless a later batch has replaced it already.

    Returns the batch's rows of that day, and what was done.
    """
    rows = presented(states_of(job, batch), batch, [day])
    warehouse.ensure(job)
    planned_from = warehouse.current(job)
    newest = warehouse.newest(job, day)
    if newest is not None and newest > batch.batch_id:
        return rows, f"{day} stays as batch {newest} left it in the warehouse"
    made = warehouse.replace(job, rows, [day], planned_from)
    return warehouse.day(job, day, made), f"{batch.rows} customers of {day} in the warehouse"


def features_replaced(job: Job, batch: Published, as_of: date, rows: DataFrame) -> str:
    """Makes the batch's partition of `features` hold what the batch knew, as of the day on which it was known.

    `rows` are the batch's exported rows as of a day, which is mostly that one. Returns what was done.
    """
    at = features.known_at(job, batch)
    if at is None:
        return "no features"
    features.TABLE.ensure(job)
    planned_from = features.TABLE.current(job)
    day = datetime_of(at).date()
    known = rows if day == as_of else presented(states_of(job, batch), batch, [day])
    features.replace(job, known, batch, at, planned_from)
    return f"features as of {day}"
