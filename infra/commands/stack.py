"""`lambda360 stack`: Kafka and Cassandra on this machine."""

import click

from infra.context import settings_of


@click.group()
def stack() -> None:
    """Run Kafka and Cassandra on this machine, under the home folder (LAMBDA360_HOME)."""


@stack.command()
@click.pass_context
def up(context: click.Context) -> None:
    """Start both servers and wait until they answer; make tables and topics."""
    from infra.local.stack import servers
    from infra.schema import apply as schema

    settings = settings_of(context)
    servers.up(settings, click.echo)
    schema.apply(settings, click.echo)


@stack.command()
@click.pass_context
def down(context: click.Context) -> None:
    """Stop both servers; their data stays."""
    from infra.local.stack import servers

    servers.down(settings_of(context), click.echo)


@stack.command()
@click.pass_context
def status(context: click.Context) -> None:
    """Show both servers; exit 1 unless both run and answer."""
    from infra.drawing import Column, draw
    from infra.local.stack import servers

    found = servers.status(settings_of(context))
    rows = []
    for server in found:
        ports = ", ".join(f"{use} {port}" for use, port in server.ports.items())
        rows.append((server.name, server.state, f"pid {server.pid or '-'}", f"ports: {ports}", f"log: {server.log}"))
    draw([Column()] * 5, rows)
    if any(server.state != "running" for server in found):
        context.exit(1)


@stack.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def reset(context: click.Context, *, yes: bool) -> None:
    """Stop both servers and delete this home: data, warehouse, logs and settings file."""
    from infra.local.stack import servers

    settings = settings_of(context)
    if yes or click.confirm(f"Delete everything in {settings.home.absolute()}?"):
        servers.reset(settings, click.echo)
    else:
        click.echo("nothing was deleted")
        context.exit(1)
