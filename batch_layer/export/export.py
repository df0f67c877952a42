"""The export of a published batch: its day in the warehouse, and the rankings of its slot. Changes no view."""

from datetime import date

from pyspark.sql import DataFrame

from batch_layer.export import rankings, warehouse
from batch_layer.export.presented import day_of_batch, is_of_other_logic, presented, states_of
from batch_layer.job import Job
from batch_layer.master import table as master
from common.algebra.pointer import Published


def export(job: Job, batch: Published) -> str:
    """Makes the day on which the batch was published hold the batch's customers, and its slot their rankings.

    Returns what was done, in one line. Idempotent: killed anywhere, or repeated, it leaves the same rows. Does nothing
    for a batch of another logic version, which an upgrade may have left unfinished. Raises BatchError if it fails.
    """
    if is_of_other_logic(batch):
        return f"left out: batch {batch.batch_id} is of logic version {batch.plan.logic_version}"
    day = day_of_batch(batch)
    rows, told = day_replaced(job, batch, day)
    count = rankings.load(job, rows, batch, day, in_one_task=master.is_small(batch.plan.cut))
    return f"{told}, {count} rankings"


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
