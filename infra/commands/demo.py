"""`lambda360 demo`: the whole system on real purchases, every answer checked."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

import click

from infra.context import settings_of

if TYPE_CHECKING:
    from common.settings import Settings
    from infra.local.demo.crew import Crew
    from infra.local.demo.narrator import Narrator


@click.command()
@click.option("--customers", type=click.IntRange(min=100), help="Fewer than all 23,570, for a smaller demo.")
@click.pass_context
def demo(context: click.Context, *, customers: int | None) -> int:
    """Run the whole system on real purchases and check every answer.

    It uses servers and a home of its own (`demo` in LAMBDA360_HOME), emptied at each start. At a terminal it stays up
    until Ctrl-C. Exit code: 0 if every answer was right.
    """
    from infra.local.demo.crew import Crew
    from infra.local.demo.home import demo_settings, fresh_home
    from infra.local.demo.narrator import Narrator
    from infra.local.demo.purchases import read_purchases
    from infra.local.demo.story import Story

    narrator = Narrator()
    purchases = read_purchases(customers=customers)
    with (
        _ended_by_signals(),
        fresh_home(demo_settings(settings_of(context))) as settings,
        _servers_stopped(settings, narrator),
        Crew(settings) as crew,
    ):
        right = Story(settings, crew, narrator).run(purchases)
        narrator.say("every answer was right, at every stop" if right else "SOME ANSWERS WERE NOT RIGHT: see above")
        if sys.stdout.isatty():
            _stay(crew, narrator)
    return 0 if right else 1


def _stay(crew: "Crew", narrator: "Narrator") -> None:
    """Keeps the system running until Ctrl-C."""
    narrator.act("It stays up until Ctrl-C")
    with suppress(KeyboardInterrupt):
        crew.wait(lambda: False, float("inf"))


@contextmanager
def _servers_stopped(settings: "Settings", narrator: "Narrator") -> Iterator[None]:
    """Stops the demo's servers at the end, whatever happened. Their logs stay until the next demo."""
    from infra.local.stack import servers

    try:
        yield
    finally:
        narrator.say("stopping the servers")
        servers.down(settings)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Raises KeyboardInterrupt at the first Ctrl-C, SIGTERM or SIGHUP. Later ones do not disturb the stopping."""
    watched = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in watched}

    def end(_number: int, _frame: FrameType | None) -> None:
        for each in watched:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in watched:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
