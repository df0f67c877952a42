"""`lambda360 batch backfill`: past days of the warehouse, exported again from today's knowledge."""

from contextlib import ExitStack
from datetime import datetime
from typing import TYPE_CHECKING

import click

from infra.commands.batch_codes import BatchCommand
from infra.context import DAY, clock, operator, settings_of, step_line

if TYPE_CHECKING:
    from batch_layer.export.backfill import Days
    from batch_layer.job import Job
    from common.algebra.pointer import Published


@click.command(cls=BatchCommand)
@click.option("--from", "first", metavar="DATE", type=DAY, required=True, help="The first day.")
@click.option("--to", "last", metavar="DATE", type=DAY, required=True, help="The last day, which is included.")
@click.option("--dry-run", is_flag=True, help="Show what would be replaced, and change nothing.")
@click.pass_context
def backfill(context: click.Context, *, first: datetime, last: datetime, dry_run: bool) -> None:
    """Replace days of the warehouse by what is known of them today.

    Each day, both ends included, becomes what the current batch knows of it: late records, corrections and erasures
    since then are in it. A day is replaced whole, and the same command twice leaves the same rows.
    """
    from batch_layer.export.backfill import checked, current_batch
    from batch_layer.job import Job
    from batch_layer.jvm import history
    from batch_layer.owner import owned
    from batch_layer.priority import give_way
    from batch_layer.session import spark_session
    from common.servers.cassandra import connected
    from infra.paths import JARS

    days = checked(first.date(), last.date(), clock())
    settings = settings_of(context)
    give_way(settings.batch.niceness)
    with ExitStack() as at_end:
        session = at_end.enter_context(connected(settings))
        if not dry_run:
            at_end.enter_context(owned(session, settings.home, operator()))
        spark = at_end.enter_context(spark_session(settings, JARS / "spark", history(session, settings)))
        job = Job(settings, spark, session, clock=clock, report=lambda *step: click.echo(step_line(*step)))
        batch = current_batch(job)
        (_show if dry_run else _replace)(job, batch, days)


def _show(job: "Job", batch: "Published", days: "Days") -> None:
    from batch_layer.export.backfill import held
    from infra.drawing import Column, draw

    found_now = held(job, days)
    now = {day: [each for each in found_now if each.as_of == day] for day in days}
    rows = [
        (
            str(day),
            ", ".join(str(each.batch_id) for each in found) or "-",
            f"{sum(each.rows for each in found):,}",
            str(batch.batch_id),
            f"{batch.rows:,}",
        )
        for day, found in now.items()
    ]
    draw([Column(name) for name in ("day", "batch now", "customers now", "batch then", "customers then")], rows)
    click.echo("Nothing was changed.")


def _replace(job: "Job", batch: "Published", days: "Days") -> None:
    from batch_layer.export.backfill import backfill as replace
    from common.servers import journal

    what = f"days {days} of the warehouse, from batch {batch.batch_id}"
    entry = journal.Entry(at=clock(), who=operator(), action="backfill", what=what, reason="")
    journal.record(job.session, entry)
    replace(job, batch, days)
    journal.done(job.session, entry)
    click.echo(f"{len(days)} days are what batch {batch.batch_id} knows of them, {batch.rows:,} customers each")
