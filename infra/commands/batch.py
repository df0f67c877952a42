"""`lambda360 batch`: the nightly job, its runs, and the way back."""

import json

import click

from infra.commands.backfill import backfill
from infra.commands.batch_codes import BatchGroup
from infra.commands.batch_rankings import rankings
from infra.commands.batch_run import run
from infra.commands.batch_text import HEADINGS, cut_text, details, lines, row_of
from infra.commands.batch_verify import verify
from infra.commands.maintain import maintain
from infra.context import clock, operator, settings_of, time_text


@click.group(cls=BatchGroup)
def batch() -> None:
    """Run the nightly job, list and show its runs, roll back, maintain, backfill; show rankings.

    \b
    Exit code, and whether the same command is worth a retry:
      0   done, or nothing new
      1   anything else                                    no
      2   wrong usage                                      no
      3   the quality gate stopped the run                 no
      4   the audit or `verify` found a difference         no
      5   another run is at work, or published first       yes
      6   Kafka or Cassandra does not answer               yes
      7   the log is not the one that was recorded         no
      130 interrupted; or killed by a signal               yes
    """


batch.add_command(run)
batch.add_command(maintain)
batch.add_command(verify)
batch.add_command(backfill)
batch.add_command(rankings)


@batch.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each batch.")
@click.pass_context
def list_(context: click.Context, *, as_json: bool) -> None:
    """Show every batch, the newest first: its slot, status, customers, cut, snapshot and versions."""
    from batch_layer import manifest
    from batch_layer.view import publish
    from common.servers.cassandra import connected
    from infra.drawing import Column, draw

    with connected(settings_of(context)) as session:
        pointer = publish.read(session)
        manifests = manifest.manifests(session)
    if as_json:
        for run in manifests:
            click.echo(json.dumps(details(run, pointer)))
    elif not manifests:
        click.echo("no batch yet; `lambda360 batch run` makes the first")
    else:
        draw([Column(heading) for heading in HEADINGS], [row_of(run, pointer) for run in manifests])


@batch.command()
@click.argument("batch_id", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print its manifest as one JSON object.")
@click.pass_context
def show(context: click.Context, batch_id: int, *, as_json: bool) -> None:
    """Show one batch: its plan, its figures, and how long each step took."""
    from batch_layer import manifest
    from batch_layer.view import publish
    from common.errors import UsageError
    from common.servers.cassandra import connected
    from infra.drawing import Column, draw

    with connected(settings_of(context)) as session:
        pointer = publish.read(session)
        manifests = {run.batch_id: run for run in manifest.manifests(session)}
    if batch_id not in manifests:
        known = ", ".join(map(str, manifests)) or "none yet"
        raise UsageError("ID", batch_id, f"a batch that was run; there are: {known}")
    found = details(manifests[batch_id], pointer)
    if as_json:
        click.echo(json.dumps(found))
        return
    draw((Column(), Column()), lines(manifests[batch_id], pointer))


@batch.command()
@click.option("--to", "batch_id", metavar="ID", type=int, help="A batch that a slot holds.  [default: the one before]")
@click.option("--reason", default="", help="Why; it is kept in the journal.")
@click.pass_context
def rollback(context: click.Context, batch_id: int | None, reason: str) -> None:
    """Make an earlier batch the current one again. Takes a second, and nothing is deleted.

    Answers stay right, since the speed layer's deltas count from that batch's own cut on. The same command with the
    later batch's id undoes it; the next `batch run` publishes a new batch.
    """
    from common.algebra.versions import logic_version
    from common.servers.cassandra import connected
    from common.servers.rollback import journalled

    with connected(settings_of(context)) as session:
        planned = journalled(session, batch_id, at=clock(), who=operator(), reason=reason)
    target = planned.to
    if planned.changes_nothing:
        click.echo(f"batch {target.batch_id} is current already; nothing was changed")
        return
    click.echo(
        f"batch {target.batch_id} is current again, as it was published at {time_text(target.published_at)}: "
        f"cut {cut_text(target.plan.cut.offsets)}, {target.rows} customers"
    )
    if target.plan.logic_version != logic_version():
        click.echo(
            f"Its logic version is {target.plan.logic_version}, and this release's is {logic_version()}: answers are "
            "degraded until a batch of this release is current."
        )
    click.echo(f"To undo it: `lambda360 batch rollback --to {planned.left}`.")
