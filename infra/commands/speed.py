"""`lambda360 speed`: runs workers of the speed layer, shows them, waits for them, and rebuilds their tables."""

import json
import os
import time
from functools import partial
from typing import TYPE_CHECKING, Final

import click
import msgspec

from common.errors import Unavailable
from infra.context import Seconds, clock, operator, range_of, settings_of, step_line, whereabouts_of

if TYPE_CHECKING:
    from infra.operate.rebuilding import Decision

REPORT_SECONDS: Final = 2.0
"""Between two lines of a wait."""


@click.group()
def speed() -> None:
    """Run speed workers, show how they are, wait until the log's end is applied, or rebuild their tables."""


@speed.command("run")
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that share the log."
)
@click.option("--parent", type=int, hidden=True, help="The process that started this one, and ends it.")
@click.option("--succeed", type=int, hidden=True, help="Wait until this seat is free, and take it.")
@click.option("--keep", hidden=True, help="The seat and the lock that this process held before it started again.")
@click.pass_context
def run_(context: click.Context, *, workers: int, parent: int | None, succeed: int | None, keep: str | None) -> int:
    """Apply the log's records until SIGTERM or Ctrl-C; workers share the partitions.

    At SIGHUP several workers are replaced one after another. A single worker ends at SIGHUP, and stays a member of the
    group for the session time: if it is started again within that time, there is no rebalance.
    """
    settings = settings_of(context)
    if workers > 1:
        _supervise(context, workers)
        return 0
    from infra.operate.workers import children
    from speed_layer.operate.seats import KeptSeat
    from speed_layer.run import run

    if parent is not None:
        children.end_with(parent)
    kept = None if keep is None else KeptSeat.parse(keep)
    try:
        again = partial(children.execute_again, parent)
        run(settings, clock, whereabouts_of(context), again, succeed=succeed, keep=kept)
    except Unavailable as error:
        if parent is None:
            raise
        click.secho(f"error: {error}", fg="red", err=True)
        return os.EX_TEMPFAIL
    return 0


def _supervise(context: click.Context, workers: int) -> None:
    from infra.operate.workers import children
    from infra.operate.workers.supervisor import Supervisor

    settings = settings_of(context)
    Supervisor(
        children.Children(settings),
        workers=workers,
        patience_seconds=settings.speed.session_timeout_seconds,
    ).run()


@speed.command("wait")
@click.option("--timeout", type=Seconds(), default=120.0, show_default=True, help="Seconds.")
@click.pass_context
def wait_(context: click.Context, *, timeout: float) -> None:
    """Return when every partition is applied up to the log's present end; exit 1 if it is not in time."""
    from common.servers import kafka, log_identity
    from common.servers.cassandra import connected
    from common.waiting import wait

    settings = settings_of(context)
    with connected(settings) as session:
        identity = log_identity.check(session, kafka.topic_identity(settings, settings.log.topic))
        ends = kafka.end_offsets(settings, identity.partitions)
        wait(session, ends, timeout=timeout, clock=clock, report=_Waiting())
    click.echo(f"applied: {sum(ends.values()):,} offsets in {len(ends)} partitions")


@speed.command("status")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def status_(context: click.Context, *, as_json: bool) -> int:
    """Show each partition and each local worker, also while a server is down; exit 0 if all is well, 1 if not."""
    from infra.drawing import terminal_width
    from infra.operate.workers.report import lines_of
    from infra.operate.workers.status import status

    found = status(settings_of(context), clock())
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(found) | {"trouble": found.trouble}))
    else:
        for line in lines_of(found, terminal_width()):
            click.echo(line)
    return 1 if found.trouble else 0


@speed.command("rebuild")
@click.option(
    "--accept-loss",
    "losses",
    multiple=True,
    metavar="PARTITION:FROM:TO",
    help="Give up records that neither Kafka nor the master holds; TO is the first one held. Repeatable.",
)
@click.option(
    "--at-batch",
    is_flag=True,
    help="Workers go on at the current batch's cut, if they are behind it. Nobody publishes the copies of what they "
    "skip, and it raises no alerts.",
)
@click.option("--reason", default="", help="Why; it is kept in the journal. Required with both of these.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.pass_context
def rebuild_(context: click.Context, *, losses: tuple[str, ...], at_batch: bool, reason: str, yes: bool) -> None:
    """Build the speed tables anew from the log, while the old ones serve, and switch to them.

    It mends wrong facts, lost or expired deltas, and a changed validation version; marks of accepted drift are dropped.
    Workers go on, and move over by themselves. Killed before the switch, it has switched nothing: run it again.

    With --accept-loss it is the way on after records were lost (docs/runbook.md). What the speed tables still hold of
    them is sent again first. Answers of the partition are degraded until `speed declare-sent`.

    With --at-batch, workers that are millions of records behind a batch need not apply them one by one. Who reads the
    topics of deltas and alerts misses those that are skipped; answers do not.
    """
    from batch_layer.job import Job
    from batch_layer.jvm import history
    from batch_layer.session import spark_session
    from common.servers.cassandra import connected
    from infra.operate.rebuilding import lines_of, run
    from infra.paths import JARS
    from infra.schema.generations import GenerationTables

    settings = settings_of(context)
    ranges = [range_of("--accept-loss", text) for text in losses]
    if (ranges or at_batch) and not reason:
        raise click.UsageError(f"{'--accept-loss' if ranges else '--at-batch'} needs a --reason.")
    if ranges and not yes:
        listed = ", ".join(map(str, ranges))
        click.confirm(
            f"Give up the records {listed} for good? They may hold erasures: a customer that was erased there is known "
            "again, until it is erased again",
            abort=True,
        )
    if at_batch and not yes:
        click.confirm(
            "Skip what workers have not applied below the batch's cut? Its copies are never published", abort=True
        )
    with connected(settings) as session, spark_session(settings, JARS / "spark", history(session, settings)) as spark:
        job = Job(settings, spark, session, clock=clock, report=_tell_step)
        decision = _decision("rebuild", reason)
        done = run(job, GenerationTables(session), ranges, decision, click.echo, at_batch=at_batch)
    for line in lines_of(done):
        click.echo(line)


@speed.command("declare-sent")
@click.argument("lost", metavar="PARTITION:FROM:TO")
@click.option("--reason", default="", help="How they were sent again; it is kept in the journal.")
@click.pass_context
def declare_sent_(context: click.Context, lost: str, reason: str) -> None:
    """Declare that the sources have sent again what was accepted as lost; answers are then exact again.

    Nothing checks it: the records are gone, so only their sources know.
    """
    from infra.operate.rebuilding import declare

    sent = range_of("PARTITION:FROM:TO", lost)
    declare(settings_of(context), sent, _decision("declare-sent", reason))
    click.echo(f"{sent} is declared sent again: answers are no longer degraded by that loss")


def _decision(action: str, reason: str) -> "Decision":
    from infra.operate.rebuilding import Decision

    return Decision(action=action, who=operator(), reason=reason, clock=clock)


class _Waiting:
    """Prints how many records are still to be applied, every REPORT_SECONDS."""

    def __init__(self) -> None:
        self._next = time.monotonic() + REPORT_SECONDS

    def __call__(self, missing: int, at_first: int) -> None:
        if missing and time.monotonic() >= self._next:
            click.echo(f"waiting: {missing:,} of {at_first:,} records are still to be applied")
            self._next = time.monotonic() + REPORT_SECONDS


def _tell_step(step: str, figures: str, seconds: float) -> None:
    """Prints one line for a step."""
    click.echo(step_line(step, figures, seconds))
