"""What commands share: the settings of a run, the ways to report, and types of options."""

import math
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import click

from common.settings import Settings, load_settings

if TYPE_CHECKING:
    from common.logs import Whereabouts

Report = Callable[[str], None]
"""Takes one line for a person."""


_WHEREABOUTS: Final = "lambda360.whereabouts"


def quiet(_: str) -> None:
    """A report that nobody reads."""


class OwnProcess:
    """The object of a context whose command has the process to itself, as `lambda360` has."""


def settings_of(context: click.Context) -> Settings:
    """The settings of this run, read from the environment at the first call; the one place that reads it.

    A command with a process of its own sends the process's log to stderr from then on.
    """
    root = context.find_root()
    if isinstance(root.obj, OwnProcess):
        from common import logs

        logs.set_up(sys.stderr, whereabouts_of(context))
    if not isinstance(root.obj, Settings):
        root.obj = load_settings(os.environ)
    return root.obj


def whereabouts_of(context: click.Context) -> "Whereabouts":
    """What the lines of this process's log carry."""
    from common.logs import Whereabouts

    found: Whereabouts = context.meta.setdefault(_WHEREABOUTS, Whereabouts())
    return found


class Seconds(click.FloatRange):
    """A finite number of seconds, 0 or more: click's own range lets `nan` and `inf` pass, which no clock reaches."""

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = float(super().convert(value, param, ctx))
        if not math.isfinite(seconds):
            self.fail(f"{value} is no finite number of seconds", param, ctx)
        return seconds
