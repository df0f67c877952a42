"""`lambda360 export`: the customers as of a day, in one file."""

from datetime import datetime
from pathlib import Path

import click

from infra.commands.batch_codes import BatchCommand
from infra.context import DAY, clock, settings_of


@click.command(cls=BatchCommand)
@click.option("--as-of", metavar="DATE", type=DAY, required=True, help="Days after it are dropped.")
@click.option("--format", "form", type=click.Choice(["parquet", "csv"]), default="parquet", show_default=True)
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.pass_context
def export(context: click.Context, file: Path, *, as_of: datetime, form: str, force: bool) -> None:
    """Write every customer's metrics and profile as of a day to FILE, in the order of their ids.

    The rows have the columns of the warehouse, and hold what the current batch knows, without the deltas since. FILE
    appears whole, or not at all.
    """
    from batch_layer.export.backfill import check_day, current_batch
    from batch_layer.export.file import Format, check_target, write
    from batch_layer.job import Job
    from batch_layer.session import spark_session
    from common.servers.cassandra import connected
    from infra.paths import JARS

    day = as_of.date()
    check_day("--as-of", day, clock())
    check_target(file, force=force)
    settings = settings_of(context)
    with connected(settings) as session, spark_session(settings, JARS / "spark") as spark:
        job = Job(settings, spark, session, clock=clock, report=lambda *_: None)
        batch = current_batch(job)
        rows = write(job, batch, day, file, Format(form), force=force)
    click.echo(f"{file}: {rows:,} customers as of {day}, from batch {batch.batch_id}")
