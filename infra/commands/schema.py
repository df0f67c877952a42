"""`lambda360 schema`: what a record must look like."""

import json

import click


@click.group()
def schema() -> None:
    """Show the records' JSON Schema."""


@schema.command()
@click.argument("kind", metavar="order|refund|ticket|marketing|profile|erasure")
def show(kind: str) -> None:
    """Print the JSON Schema of a kind's records, from the types that validate them."""
    from common.errors import UsageError
    from common.log.schema import record_schema
    from common.log.wire import ALIASES, BY_KIND

    names = {**{name: name for name in BY_KIND}, **ALIASES, "erasure": "customer"}
    if kind not in names:
        raise UsageError("KIND", kind, f"one of {', '.join(names)}")
    click.echo(json.dumps(record_schema(names[kind]), indent=2))
