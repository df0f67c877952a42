"""`lambda360 import`: appends a record to the log for each row of a file."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from infra.context import settings_of

if TYPE_CHECKING:
    from infra.ingest.importer import Summary

SOME_REJECTED: Final = 3
INTERRUPTED: Final = 130


@click.command("import")
@click.argument("kind", metavar="order|refund|ticket|marketing|profile")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--map", "maps", multiple=True, metavar="FIELD=COLUMN", help="A field's column, if the names differ.")
@click.option("--set", "sets", multiple=True, metavar="FIELD=VALUE", help="The same value of a field in every row.")
@click.option("--map-value", "map_values", multiple=True, metavar="FIELD:FROM=TO", help="Translate a field's value.")
@click.option("--timezone", default="UTC", show_default=True, help="IANA zone of times that have no offset.")
@click.option(
    "--format", "format_name", type=click.Choice(["csv", "jsonl", "parquet"]), help="If its extension does not tell it."
)
@click.option("--rejects", type=click.Path(path_type=Path), help="Rejected rows.  [default: FILE.rejected.jsonl]")
@click.option("--dry-run", is_flag=True, help="Validate every row and send nothing; no server is needed.")
@click.pass_context
def import_(
    context: click.Context,
    kind: str,
    file: Path,
    maps: tuple[str, ...],
    sets: tuple[str, ...],
    map_values: tuple[str, ...],
    timezone: str,
    format_name: str | None,
    rejects: Path | None,
    dry_run: bool,
) -> int:
    """Import a CSV, JSON Lines or Parquet file. The same file twice changes no answer.

    A field is read from the column of its own name, unless --map or --set says otherwise; `lambda360 schema show KIND`
    lists the fields. Without updated_at, an entity's own date is its version; a profile has no such date, and needs
    updated_at. A row whose column `retracted` is true takes its entity back: it needs only the ids and updated_at.
    Rows that break a rule go to FILE.rejected.jsonl with row number, field, value and rule; the others are imported.

    Exit code: 0 every row is in; 3 some were rejected; 1 it could not be finished; 2 wrong usage, nothing was sent;
    130 interrupted.
    """
    from infra.ingest.importer import run
    from infra.ingest.mapping import mapping_of

    mapping = mapping_of(kind, maps=maps, sets=sets, map_values=map_values, zone=timezone)
    with _bar(file.name) as on_read:
        summary = run(
            settings_of(context),
            file,
            mapping,
            clock=lambda: time.time_ns() // 1000,
            format_name=format_name,
            rejects=rejects,
            dry_run=dry_run,
            on_read=on_read,
        )
    _report(summary, dry_run=dry_run)
    if summary.interrupted:
        return INTERRUPTED
    return SOME_REJECTED if summary.rejected else 0


@contextmanager
def _bar(name: str) -> Iterator[Callable[[int, int], None]]:
    """Shows a progress bar on a terminal, and nothing elsewhere."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(name, total=None)
        yield lambda read, total: bar.update(task, completed=read, total=total)


def _report(summary: "Summary", *, dry_run: bool) -> None:
    sent = "valid (dry run: nothing was sent)" if dry_run else "sent and acknowledged"
    click.echo(
        f"{summary.read:,} rows read, {summary.sent:,} {sent}, {summary.rejected:,} rejected, "
        f"in {summary.seconds:.1f} s"
    )
    if summary.retracted:
        verb = "takes its" if summary.retracted == 1 else "take their"
        click.echo(f"{summary.retracted:,} of them {verb} entity back.")
    if summary.future_dated:
        click.echo(f"{summary.future_dated:,} of them carry a date more than a day ahead; they count from that day on.")
    if summary.rejected:
        click.echo(f"Rejected rows, each with field, value and rule: {summary.rejects}")
    if summary.interrupted:
        click.echo("Interrupted. Run the same command again: rows that are in the log already change no answer.")
    elif summary.rejected:
        click.echo("Correct them at the source and import the file again: rows that are in already change no answer.")
    elif dry_run:
        click.echo("Next: the same command without --dry-run.")
    elif summary.sent:
        click.echo("Next: `lambda360 speed wait` returns when the answers hold them.")
