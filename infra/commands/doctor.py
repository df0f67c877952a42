"""`lambda360 doctor`: what is installed, running and reachable, and what to do about what is not."""

import click

from infra.context import settings_of


@click.command()
@click.pass_context
def doctor(context: click.Context) -> None:
    """Say what is installed, running and reachable, and what to do about what is not; exit 1 if something is needed."""
    from infra.local.doctor import examine

    broken = 0
    for finding in examine(settings_of(context)):
        mark, colour = ("ok", "green") if finding.well else ("--", "red" if finding.needed else "yellow")
        click.echo(f"{click.style(mark, fg=colour)}  {finding.subject}: {finding.detail}")
        if not finding.well:
            broken += finding.needed
            click.echo(f"    to do{'' if finding.needed else ' (if you want it)'}: {finding.remedy}")
    if broken:
        click.echo(f"{broken} needed things are missing")
        context.exit(1)
    click.echo("everything that is needed is there")
