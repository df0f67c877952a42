"""`lambda360 speed`: runs workers of the speed layer, shows how they are, and waits for them."""

import json
import os
import time
from typing import Final

import click
import msgspec

from common.errors import Unavailable
from infra.context import Seconds, settings_of, whereabouts_of

REPORT_SECONDS: Final = 2.0
"""Between two lines of a wait."""


@click.group()
def speed() -> None:
    """Run speed workers, show how they are, or wait until the log's end is applied."""


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
        seat = run(settings, _clock, whereabouts_of(context), succeed=succeed, keep=kept)
    except Unavailable as error:
        if parent is None:
            raise
        click.secho(f"error: {error}", fg="red", err=True)
        return os.EX_TEMPFAIL
    if seat is not None:
        children.execute_again(parent, seat)
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
        wait(session, ends, timeout=timeout, clock=_clock, report=_Waiting())
    click.echo(f"applied: {sum(ends.values()):,} offsets in {len(ends)} partitions")


@speed.command("status")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def status_(context: click.Context, *, as_json: bool) -> int:
    """Show each partition and each local worker, also while a server is down; exit 0 if all is well, 1 if not."""
    from infra.drawing import terminal_width
    from infra.operate.workers.report import lines_of
    from infra.operate.workers.status import status

    found = status(settings_of(context), _clock())
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(found) | {"trouble": found.trouble}))
    else:
        for line in lines_of(found, terminal_width()):
            click.echo(line)
    return 1 if found.trouble else 0


class _Waiting:
    """Prints how many records are still to be applied, every REPORT_SECONDS."""

    def __init__(self) -> None:
        self._next = time.monotonic() + REPORT_SECONDS

    def __call__(self, missing: int, at_first: int) -> None:
        if missing and time.monotonic() >= self._next:
            click.echo(f"waiting: {missing:,} of {at_first:,} records are still to be applied")
            self._next = time.monotonic() + REPORT_SECONDS


def _clock() -> int:
    return time.time_ns() // 1000
