"""`lambda360 doctor`: what is installed, running and reachable, and what to do about what is not."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from infra.context import settings_of

if TYPE_CHECKING:
    from infra.drawing import Row
    from infra.local.findings import Finding


@click.command()
@click.pass_context
def doctor(context: click.Context) -> None:
    """Show what is installed, running and reachable, and what to do about what is not.

    Exit code: 0 if all that is needed is there, 1 if not.
    """
    from infra.drawing import Column, draw
    from infra.local.doctor import examine

    findings = []

    def rows() -> Iterator["Row"]:
        for finding in examine(settings_of(context)):
            findings.append(finding)
            yield from rows_of(finding)

    draw((Column(), Column(width=36), Column()), rows(), page=1)
    if broken := sum(finding.needed and not finding.well for finding in findings):
        click.echo(f"{broken} needed things are missing")
        context.exit(1)
    click.echo("everything that is needed is there")


def rows_of(finding: "Finding") -> Iterator["Row"]:
    """Yields a row with the finding and, if it is not well, a row with what to do about it."""
    from rich.text import Text

    mark, colour = ("ok", "green") if finding.well else ("--", "red" if finding.needed else "yellow")
    yield Text(mark, style=colour), finding.subject, finding.detail
    if not finding.well:
        yield "", "", f"to do{'' if finding.needed else ' (if you want it)'}: {finding.remedy}"
