"""`lambda360 speed`: workers of the speed layer, and waiting for them."""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Final

import click

from common.errors import Lambda360Error
from common.settings import Settings, environment_of
from infra.cli import settings_of

QUIET: Final = {
    **dict.fromkeys(("faust", "mode", "asyncio", "speed_layer.app", "speed_layer.seam"), logging.WARNING),
    **dict.fromkeys(("aiokafka", "cassandra"), logging.CRITICAL),  # many lines a second while a server is away
}
"""Levels of what is not ours; Faust's services log under the modules of their subclasses, which are ours."""
SAY_SECONDS: Final = 2.0


@click.group()
def speed() -> None:
    """Run a speed worker, or wait until the log's end is applied."""


@speed.command("run")
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that share the log."
)
@click.pass_context
def run_(context: click.Context, *, workers: int) -> None:
    """Apply the log's records until SIGTERM or Ctrl-C; workers share the partitions."""
    settings = settings_of(context)
    if workers > 1:
        context.exit(_run_children(settings, workers))
    from speed_layer.run import run

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(level)
    run(settings, _clock)


@speed.command("wait")
@click.option("--timeout", type=click.FloatRange(min=0), default=120.0, show_default=True, help="Seconds.")
@click.pass_context
def wait_(context: click.Context, *, timeout: float) -> None:
    """Return when the log's end, as of now, is applied in every partition; exit 1 if it is not in time."""
    from common import kafka, log_identity
    from common.cassandra import connected
    from speed_layer.wait import wait

    settings = settings_of(context)
    with connected(settings) as session:
        identity = log_identity.check(session, kafka.topic_identity(settings, settings.log.topic))
        ends = kafka.end_offsets(settings, identity.partitions)
        wait(session, settings, ends, timeout, _clock, _Teller())
    click.echo(f"applied: {sum(ends.values()):,} offsets in {len(ends)} partitions")


@speed.command()
@click.pass_context
def status(context: click.Context) -> None:
    """Show each partition: what is applied and alive, the log's end, and the last heartbeat."""
    from common import kafka, log_identity
    from common.cassandra import connected
    from speed_layer.wait import places, silent_seconds

    settings = settings_of(context)
    with connected(settings) as session:
        identity = log_identity.check(session, kafka.topic_identity(settings, settings.log.topic))
        found = places(session, settings, kafka.end_offsets(settings, identity.partitions))
    click.echo(f"{'partition':>9} {'from':>10} {'next':>10} {'end':>10} {'behind':>8}  heartbeat")
    for partition, place in found.items():
        heard = "never" if place.beat_at is None else f"{silent_seconds(place, _clock()):.1f} s ago"
        behind = max(0, place.end_offset - place.next_offset)
        numbers = f"{place.from_offset:>10} {place.next_offset:>10} {place.end_offset:>10} {behind:>8}"
        click.echo(f"{partition:>9} {numbers}  {heard}")


class _Teller:
    """Prints how many records are missing, now and then."""

    def __init__(self) -> None:
        self._next = time.monotonic() + SAY_SECONDS

    def __call__(self, missing: int, at_first: int) -> None:
        if missing and time.monotonic() >= self._next:
            click.echo(f"waiting: {missing:,} of {at_first:,} records to go")
            self._next = time.monotonic() + SAY_SECONDS


def _run_children(settings: Settings, workers: int) -> int:
    """The exit code: 0 if every child stopped when told to; a child that fails leaves its partitions to the others."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("LAMBDA360_")} | environment_of(settings)
    command = [str(Path(sys.executable).parent / "lambda360"), "speed", "run"]
    children = [subprocess.Popen(command, env=environ) for _ in range(workers)]

    def stop(_: int, __: FrameType | None) -> None:
        for child in children:
            if child.poll() is None:
                child.terminate()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    codes = [child.wait() for child in children]
    if any(codes):
        raise Lambda360Error(f"workers ended with {codes}; see their lines above")
    return 0


def _clock() -> int:
    return time.time_ns() // 1000
