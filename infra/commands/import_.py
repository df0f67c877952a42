"""`lambda360 import`: appends a record to the log for each row of a file."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from infra.context import clock, settings_of

if TYPE_CHECKING:
    from infra.ingest.summary import Summary
    from infra.ingest.values import FloatIds

BROKEN_OFF: Final = 1
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
    "--date-format",
    "date_formats",
    multiple=True,
    metavar="[FIELD:]FORMAT",
    help="day-first, month-first, epoch-seconds, epoch-milliseconds, or a pattern of strptime; of all dates or of one."
    "  [default: iso]",
)
@click.option("--decimal-comma", is_flag=True, help="Amounts are written 1234,50.")
@click.option("--trim", is_flag=True, help="Take white space and invisible characters off both ends of every value.")
@click.option(
    "--float-ids",
    type=click.Choice(["reject", "whole", "keep"]),
    default="reject",
    show_default=True,
    help="What becomes of an id such as 917850.0: `whole` reads 917850.",
)
@click.option("--approve", "approvals", multiple=True, metavar="CHANGE", help="Make a change of the columns the rule.")
@click.option("--refuse-clashes", is_flag=True, help="Send nothing if rows of one entity and version differ.")
@click.option("--skip-erased", is_flag=True, help="Leave out the rows of customers who were erased.")
@click.option(
    "--format", "format_name", type=click.Choice(["csv", "jsonl", "parquet"]), help="If its extension does not tell it."
)
@click.option(
    "--delimiter", metavar="CHARACTER", help="Of a CSV file.  [default: comma, semicolon, tab or |, as found]"
)
@click.option(
    "--encoding", metavar="NAME", help="Of a text file, such as cp1252.  [default: UTF-8, or its byte order mark's]"
)
@click.option("--rejects", type=click.Path(path_type=Path), help="Rejected rows.  [default: FILE.rejected.jsonl]")
@click.option("--dry-run", is_flag=True, help="Validate every row and send nothing; no server is needed.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@click.pass_context
def import_(
    context: click.Context,
    kind: str,
    file: Path,
    maps: tuple[str, ...],
    sets: tuple[str, ...],
    map_values: tuple[str, ...],
    timezone: str,
    date_formats: tuple[str, ...],
    decimal_comma: bool,  # click passes options by name
    trim: bool,
    float_ids: "FloatIds",
    approvals: tuple[str, ...],
    refuse_clashes: bool,
    skip_erased: bool,
    format_name: str | None,
    delimiter: str | None,
    encoding: str | None,
    rejects: Path | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Import a CSV, JSON Lines or Parquet file, also .gz or .zst. The same file twice changes no answer.

    A field is read from the column of its own name, unless --map or --set says otherwise; `lambda360 schema show KIND`
    lists the fields. Without updated_at, an entity's own date is its version; a profile has no such date, and needs
    updated_at. A row whose column `retracted` is true takes its entity back: it needs only the ids and updated_at.
    A customer who was erased and stands in the file is warned of (R24); a dry run asks where servers answer.
    Rows that break a rule go to FILE.rejected.jsonl with row number, field, value and rule; the others are imported.

    Exit code: 0 every row is in; 3 some were rejected; 1 it could not be finished; 2 wrong usage, nothing was sent;
    130 interrupted.
    """
    from infra.ingest.field_mapping import Habits
    from infra.ingest.importer import Options, run
    from infra.ingest.mapping import mapping_of
    from infra.ingest.report import lines
    from infra.ingest.rows import Reading
    from infra.operate.erasure.lookup import erased_lookup

    mapping = mapping_of(
        kind,
        maps,
        sets,
        map_values,
        zone=timezone,
        date_formats=date_formats,
        habits=Habits(decimal_comma=decimal_comma, trim=trim, float_ids=float_ids),
    )
    options = Options(
        format_name=format_name,
        reading=Reading(delimiter=delimiter, encoding=encoding),
        rejects=rejects,
        dry_run=dry_run,
        approvals=frozenset(approvals),
        refuse_clashes=refuse_clashes,
        skip_erased=skip_erased,
    )
    settings = settings_of(context)
    with erased_lookup(settings, needs_servers=not dry_run) as erased, _bar(file.name) as on_read:
        summary = run(
            settings,
            file,
            mapping,
            options,
            clock=clock,
            on_read=on_read,
            erased=erased,
        )
    click.echo(json.dumps(summary.as_json(), ensure_ascii=False) if as_json else "\n".join(lines(summary)))
    return _exit_code(summary)


def _exit_code(summary: "Summary") -> int:
    if summary.interrupted:
        return INTERRUPTED
    if summary.broken is not None:
        return BROKEN_OFF
    return SOME_REJECTED if summary.rejected else 0


@contextmanager
def _bar(name: str) -> Iterator[Callable[[int, int], None]]:
    """Shows a progress bar on a terminal, and nothing elsewhere."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(name, total=None)
        yield lambda read, total: bar.update(task, completed=read, total=total)
