"""`lambda360 restore`: fills a new log from the master of another keyspace."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from infra.context import clock, operator, range_of, settings_of

if TYPE_CHECKING:
    from infra.operate.restore.restore import Restored


@click.command()
@click.option("--from", "keyspace", metavar="KEYSPACE", required=True, help="Whose master is restored.")
@click.option("--tail-topic", metavar="TOPIC", help="The old log, if it still holds records that no batch archived.")
@click.option(
    "--tail",
    "tail",
    multiple=True,
    metavar="PARTITION:FROM:TO",
    help="Such records that can be trusted; TO is the first one that is left out. Once a partition at most.",
)
@click.option(
    "--ledger",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The old system's ledger of erasures; default: this system's own.",
)
@click.option("--reason", default="", help="Why; it is kept in the journal.")
@click.pass_context
def restore(
    context: click.Context,
    *,
    keyspace: str,
    tail_topic: str | None,
    tail: tuple[str, ...],
    ledger: Path | None,
    reason: str,
) -> None:
    """Append all records that another keyspace's master holds to this system's log, which must be new.

    Each record goes to the partition that it was in, in its order, with the bytes that it had, rejected ones too.
    Offsets, append times and batches are new. Then every erasure is applied again that the ledger names and that is
    not among the records. Killed, the same command goes on. The steps around it are in docs/runbook.md.
    """
    from batch_layer.job import Job
    from batch_layer.session import spark_session
    from common.servers.cassandra import connected
    from infra.commands.batch_run import Steps
    from infra.operate.restore.restore import Backup
    from infra.operate.restore.restore import restore as restored
    from infra.paths import JARS

    if bool(tail) != (tail_topic is not None):
        raise click.UsageError("--tail-topic and --tail belong together.")
    settings = settings_of(context)
    backup = Backup(keyspace, tail_topic, tuple(range_of("--tail", text) for text in tail))
    steps = Steps(to_stderr=False)
    with connected(settings) as session, spark_session(settings, JARS / "spark") as spark:
        job = Job(settings, spark, session, clock=clock, report=steps.done, progress=steps.progress, who=operator())
        done = restored(job, backup, ledger or settings.erasure_ledger, reason)
    steps.end()
    click.echo("\n".join(_told(done, settings.log.topic)))


def _told(done: "Restored", topic: str) -> list[str]:
    lines = [f"{topic}: {done.records} records appended, {done.held} were there before"]
    if done.losses:
        lines.append(f"not in it, since they were accepted as lost: {', '.join(map(str, done.losses))}")
    if done.erased:
        lines.append(f"erased again, since the records do not hold it: {', '.join(map(repr, done.erased))}")
    return [*lines, "Next: `lambda360 speed run`, `lambda360 speed wait`, `lambda360 batch run`, `lambda360 serve`."]
