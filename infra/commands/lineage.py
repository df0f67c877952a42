"""`lambda360 lineage`: what a run read and wrote, and what is touched if a part of it is bad."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from infra.context import settings_of

if TYPE_CHECKING:
    from batch_layer.lineage.kept import Kept


@click.group()
def lineage() -> None:
    """Show what a run read and wrote, and what is touched if a part of it is bad.

    It reads the OpenLineage events that batch runs keep in the home's folder `lineage`, and needs no server.
    """


@lineage.command()
@click.argument("batch_id", metavar="[BATCH_ID]", type=int, required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the OpenLineage events, one JSON object a line.")
@click.pass_context
def show(context: click.Context, batch_id: int | None, *, as_json: bool) -> None:
    """Show the inputs and outputs of a batch's run, the newest one's unless BATCH_ID is given."""
    from common.errors import UsageError
    from infra.commands.lineage_text import run_lines

    kept = _kept(context)
    known = sorted({event.batch_id for event in kept.events()})
    if batch_id is None and not known:
        click.echo("no run is kept yet; `lambda360 batch run` keeps the first")
        return
    wanted = known[-1] if batch_id is None else batch_id
    if wanted not in known:
        listed = ", ".join(map(str, known)) or "none yet"
        raise UsageError("BATCH_ID", wanted, f"a batch whose run is kept; there are: {listed}")
    if as_json:
        for line in kept.lines(wanted):
            click.echo(line.decode())
        return
    click.echo("\n".join(run_lines(kept.events(wanted))))


@lineage.command()
@click.argument("dataset", metavar="DATASET")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as one JSON object.")
@click.pass_context
def impact(context: click.Context, dataset: str, *, as_json: bool) -> None:
    """List what is touched if DATASET is bad, with the batches concerned.

    \b
    DATASET is one of
      a file that was imported, or a producer's source: orders.csv, /in/orders.csv
      the log or the master                             customer_events, events
      a field of the master                             events.amount
      a view, or a measure in it                        batch_view_a, state.revenue
      a metric                                          total_revenue
    """
    from batch_layer.lineage.impact import impact as impact_of
    from batch_layer.lineage.target import found
    from infra.commands.lineage_text import impact_lines

    events = _kept(context).events()
    made = impact_of(found(dataset, events), events)
    click.echo(json.dumps(asdict(made)) if as_json else "\n".join(impact_lines(made)))


@lineage.command()
@click.argument("batch_id", metavar="[BATCH_ID]", type=int, required=False)
@click.pass_context
def send(context: click.Context, batch_id: int | None) -> None:
    """Send the kept events to LAMBDA360_LINEAGE_URL, all of them unless BATCH_ID is given.

    A run sends its own; this is for a run whose endpoint did not answer. An event that is sent again is the same one.
    """
    from batch_layer.lineage.emit import Endpoint
    from common.errors import BatchError, UsageError

    settings = settings_of(context)
    if not settings.lineage.url:
        raise UsageError("LAMBDA360_LINEAGE_URL", "", "the URL of an OpenLineage endpoint")
    endpoint = Endpoint(settings)
    lines = _kept(context).lines(batch_id)
    for number, line in enumerate(lines):
        if not endpoint.send(line):
            raise BatchError(
                f"the endpoint accepted {number} of {len(lines)} events, and not the next: {endpoint.failure}"
            )
    click.echo(f"the endpoint accepted {len(lines)} events")


def _kept(context: click.Context) -> "Kept":
    from batch_layer.lineage.kept import Kept

    return Kept.of(settings_of(context))
