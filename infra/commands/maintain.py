"""`lambda360 batch maintain`: removes physically what erasures forget."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from infra.context import clock, operator, settings_of

if TYPE_CHECKING:
    from infra.operate.erasure.maintain import Maintained, Place


@click.command()
@click.option("--erasures", is_flag=True, help="Remove what erased customers left behind, from every place.")
@click.option("--json", "as_json", is_flag=True, help="Print the account as one JSON object.")
@click.pass_context
def maintain(context: click.Context, *, erasures: bool, as_json: bool) -> None:
    """Remove the older records of erased customers from master, slots, Kafka, Cassandra's files and logs.

    Answers do not change: an erasure counts as soon as the speed layer has applied it. It deals with each erasure that
    a batch has archived and the speed layer has applied, and may be repeated. What it cannot reach it names, with what
    to run there. From Kafka whole beginnings of partitions go; of the log no record that the master does not hold.
    """
    from batch_layer.job import Job
    from batch_layer.owner import owned
    from batch_layer.session import spark_session
    from common.servers.cassandra import connected
    from infra.operate.erasure import files
    from infra.operate.erasure.maintain import Maintenance
    from infra.paths import JARS

    if not erasures:
        raise click.UsageError("Say what to do: --erasures.")
    settings = settings_of(context)
    with connected(settings) as session, owned(session, settings.home, operator()):
        with spark_session(settings, JARS / "spark") as spark:
            job = Job(settings, spark, session, clock=clock, report=lambda *_: None)
            account = Maintenance(job, (lambda place: None) if as_json else _tell).run()
        files.clear_scratch(settings.home)
    click.echo(json.dumps(asdict(account)) if as_json else "\n".join(_end(account)))


def _tell(place: "Place") -> None:
    click.echo(f"{place.name:<40}{place.figures}")
    for left in place.left:
        click.echo(f"    left: {left}")


def _end(account: "Maintained") -> list[str]:
    lines = [f"{account.erasures} erased customers were dealt with" if account.erasures else "no erasure to deal with"]
    if account.waiting:
        lines.append(
            f"{len(account.waiting)} erasures wait for the next `lambda360 batch run`, or for the speed layer: "
            f"{', '.join(account.waiting[:5])}"
        )
    if account.by_hand:
        lines += ["On every node of Cassandra, in this order:", *(f"    {line}" for line in account.by_hand)]
    return lines
