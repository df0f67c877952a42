"""`lambda360 schema`: applies and lists tables and topics on any cluster, and shows what a record must look like."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from infra.context import settings_of

if TYPE_CHECKING:
    from common.settings import Settings
    from infra.schema.look import Line, Plan


@click.group()
def schema() -> None:
    """Apply tables and topics to any cluster, and list them; show the records' JSON Schema."""


@schema.command("apply")
@click.option("--dry-run", is_flag=True, help="Print the statements and topics that are still to be made.")
@click.pass_context
def apply_(context: click.Context, *, dry_run: bool) -> None:
    """Apply the changes that the keyspace lacks, and make the topics. What is applied is recorded.

    It may be run at any time, also by several at once: one applies, the others wait. If it is killed, run it again.
    """
    from infra.schema.apply import apply

    settings = settings_of(context)
    if dry_run:
        for line in _would_make(settings):
            click.echo(line)
    else:
        apply(settings, click.echo)


@schema.command("list")
@click.pass_context
def list_(context: click.Context) -> None:
    """Show every change of the schema: whether it is applied, when and by whom. Nothing is changed."""
    from infra.drawing import Column, draw
    from infra.schema.look import listing

    draw(
        [Column(heading) for heading in ("change", "state", "applied", "by")],
        map(row_of, listing(settings_of(context))),
    )


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


def row_of(line: "Line") -> tuple[str, ...]:
    """Returns one row of the list: change, state, when it was applied, and by whom."""
    if line.record is None:
        return (line.title, line.state, "-", "-")
    return (line.title, line.state, f"{line.record.applied_at:%Y-%m-%d %H:%M:%SZ}", line.record.applied_by)


def _would_make(settings: "Settings") -> Iterator[str]:
    from infra.schema.look import plan

    planned = plan(settings)
    yield from as_cql(planned)
    for topic, config in planned.topics.items():
        yield f"-- topic {topic}: {settings.log.partitions} partitions, replication {settings.log.replication_factor}"
        yield from (f"--   {key}={value}" for key, value in config.items())
    if planned.is_empty:
        yield "-- nothing new"


def as_cql(planned: "Plan") -> Iterator[str]:
    """Yields the plan's statements, as cqlsh takes them."""
    if planned.keyspace:
        yield f"{planned.keyspace};"
    for change in planned.changes:
        yield f"-- {change.title}"
        yield from (f"{statement};" for statement in change.statements)
