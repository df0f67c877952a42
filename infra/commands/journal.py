"""`lambda360 journal`: what operators decided, when and why."""

import json
from typing import TYPE_CHECKING

import click

from infra.context import settings_of, time_text

if TYPE_CHECKING:
    from common.servers.journal import Entry


@click.command()
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The newest so many.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each decision.")
@click.pass_context
def journal(context: click.Context, *, limit: int, as_json: bool) -> None:
    """List what operators decided, the newest first: when, who, what, why, and whether it was done."""
    from common.servers.cassandra import connected
    from common.servers.journal import entries
    from infra.drawing import Column, draw

    with connected(settings_of(context)) as session:
        found = entries(session, limit)
    if as_json:
        for entry in found:
            click.echo(json.dumps(details(entry)))
    elif not found:
        click.echo("no decision yet; a rollback of a batch would be one")
    else:
        draw([Column(heading) for heading in ("when", "who", "action", "what", "why", "")], map(row_of, found))


def details(entry: "Entry") -> dict[str, object]:
    """Returns the entry for JSON."""
    return {
        "at": time_text(entry.at),
        "who": entry.who,
        "action": entry.action,
        "what": entry.what,
        "reason": entry.reason,
        "done": entry.done,
    }


def row_of(entry: "Entry") -> tuple[str, ...]:
    """Returns one row of the list. What was begun and is not known to have ended says so."""
    end = "" if entry.done else "its end is not known"
    return (time_text(entry.at), entry.who, entry.action, entry.what, entry.reason or "-", end)
