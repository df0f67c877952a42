"""`lambda360 export`: the customers as of a day in one file, or the features in a folder."""

from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from infra.commands.batch_codes import BatchCommand
from infra.context import DAY, clock, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_layer.job import Job


@click.command(cls=BatchCommand)
@click.option("--as-of", metavar="DATE", type=DAY, help="Days after it are dropped.")
@click.option("--format", "form", type=click.Choice(["parquet", "csv"]), default="parquet", show_default=True)
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@click.option(
    "--features",
    "folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Instead of FILE: make FOLDER hold the features, one Parquet file for each batch.",
)
@click.argument("file", metavar="FILE", required=False, type=click.Path(path_type=Path))
@click.pass_context
def export(
    context: click.Context,
    *,
    file: Path | None,
    folder: Path | None,
    as_of: datetime | None,
    form: str,
    force: bool,
) -> None:
    """Write every customer's metrics and profile as of a day to FILE, in the order of their ids.

    The rows have the columns of the warehouse, and hold what the current batch knows, without the deltas since. FILE
    appears whole, or not at all.

    With --features FOLDER, write what each batch knew of each customer instead, for Feast (docs/features.md). Only what
    changed since is written, so the command may be run behind each batch and each maintenance.
    """
    from common.errors import UsageError

    if folder is not None:
        if file is not None or as_of is not None:
            raise UsageError("--features", str(folder), "given without FILE and --as-of")
        _features(context, folder)
    elif file is None or as_of is None:
        raise UsageError("FILE", str(file or ""), "FILE and --as-of, or --features FOLDER")
    else:
        _day(context, file, as_of, form=form, force=force)


def _day(context: click.Context, file: Path, as_of: datetime, *, form: str, force: bool) -> None:
    from batch_layer.export.backfill import check_day, current_batch
    from batch_layer.export.file import Format, check_target, write

    day = as_of.date()
    check_day("--as-of", day, clock())
    check_target(file, force=force)
    with _job(context) as job:
        batch = current_batch(job)
        rows = write(job, batch, day, file, Format(form), force=force)
    click.echo(f"{file}: {rows:,} customers as of {day}, from batch {batch.batch_id}")


def _features(context: click.Context, folder: Path) -> None:
    from batch_layer.export.folder import check_folder, sync

    check_folder(folder)
    with _job(context) as job:
        made = sync(job, folder)
    click.echo(f"{folder}: {made.batches:,} batches, {made.written:,} written, {made.removed:,} removed")
    known_at = made.known_at.replace(tzinfo=None).isoformat(timespec="microseconds")
    click.echo(f"the newest was known at {known_at}Z: feast materialize {known_at} {known_at}")


@contextmanager
def _job(context: click.Context) -> "Iterator[Job]":
    from batch_layer.job import Job
    from batch_layer.jvm import history
    from batch_layer.priority import give_way
    from batch_layer.session import spark_session
    from common.servers.cassandra import connected
    from infra.paths import JARS

    settings = settings_of(context)
    give_way(settings.batch.niceness)
    with connected(settings) as session, spark_session(settings, JARS / "spark", history(session, settings)) as spark:
        yield Job(settings, spark, session, clock=clock, report=lambda *_: None)
