"""`lambda360 batch maintain`: upkeep of the Iceberg tables, and the removal of what erasures forget."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from infra.context import clock, operator, settings_of

if TYPE_CHECKING:
    from batch_layer.upkeep import Upkeep
    from infra.operate.erasure.maintain import Maintained, Place


@click.command()
@click.option("--erasures", is_flag=True, help="Only remove what erased customers left behind.")
@click.option("--json", "as_json", is_flag=True, help="Print the account as one JSON object.")
@click.pass_context
def maintain(context: click.Context, *, erasures: bool, as_json: bool) -> None:
    """Compact the Iceberg tables, expire old snapshots, and remove the older records of erased customers everywhere.

    Answers do not change: an erasure counts as soon as the speed layer has applied it. It deals with each erasure that
    a batch has archived and the speed layer has applied, and may be repeated. What it cannot reach it names, with what
    to run there. From Kafka whole beginnings of partitions go; of the log no record that the master does not hold.
    Run it regularly: many small batches leave many small files, which make each recomputation slower.
    """
    from batch_layer.job import Job
    from batch_layer.jvm import history
    from batch_layer.owner import owned
    from batch_layer.priority import give_way
    from batch_layer.session import spark_session
    from batch_layer.upkeep import keep_up
    from common.servers.cassandra import connected
    from infra.operate.erasure import files
    from infra.operate.erasure.maintain import Maintenance
    from infra.paths import JARS

    settings = settings_of(context)
    give_way(settings.batch.niceness)
    with connected(settings) as session, owned(session, settings.home, operator()):
        with spark_session(settings, JARS / "spark", history(session, settings)) as spark:
            job = Job(settings, spark, session, clock=clock, report=lambda *_: None)
            kept = () if erasures else keep_up(job, (lambda done: None) if as_json else _kept)
            account = Maintenance(job, (lambda place: None) if as_json else _tell).run()
        files.clear_scratch(settings.home)
    told = {"upkeep": [asdict(each) for each in kept], **asdict(account)}
    click.echo(json.dumps(told) if as_json else "\n".join(_end(account)))


def _kept(done: "Upkeep") -> None:
    click.echo(f"{done.table:<40}{done.figures}")


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
