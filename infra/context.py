"""What commands share: the settings of a run, the ways to report, and types of options."""

import math
import os
import pwd
import socket
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import click

from common.settings import Settings, load_settings

if TYPE_CHECKING:
    from common.algebra.losses import Range
    from common.logs import Whereabouts

Report = Callable[[str], None]
DAY: Final = click.DateTime(formats=["%Y-%m-%d"])
"""The type of an option that is a day."""
"""Called with one line for the user."""
_WHEREABOUTS: Final = "lambda360.whereabouts"


def quiet(_: str) -> None:
    """A `Report` that drops its line."""


class OwnProcess:
    """Marks a click context whose command is all that its process runs. Under a test it is not."""


def time_text(micros: int) -> str:
    """Returns microseconds since the epoch as people read them: `2026-11-25 23:05:00Z`."""
    from common.algebra.dates import datetime_of

    return f"{datetime_of(micros):%Y-%m-%d %H:%M:%SZ}"


def clock() -> int:
    """Returns the time of this machine's clock, in microseconds since the epoch (UTC)."""
    return time.time_ns() // 1000


def step_line(step: str, figures: str, seconds: float) -> str:
    """Returns the line for a step of a long command that is done."""
    return f"{step:<20}{figures:<60}{seconds:6.1f} s"


def operator() -> str:
    """Returns who runs this command, for what is kept of it: `ada@host`."""
    try:
        account = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # in a container, any number may be a user
        account = f"uid {os.getuid()}"
    return f"{account}@{socket.gethostname()}"


def range_of(option: str, text: str) -> "Range":
    """Returns the range of offsets that `text`, the value of `option`, spells. Raises UsageError."""
    from common.algebra.losses import Range
    from common.errors import UsageError

    try:
        return Range.parse(text)
    except ValueError as error:
        raise UsageError(option, text, str(error)) from error


def settings_of(context: click.Context) -> Settings:
    """Returns the settings of this run. The first call reads them from the environment; no other place reads it.

    If the command has the process to itself, the process's log goes to stderr from then on.
    """
    root = context.find_root()
    if isinstance(root.obj, OwnProcess):
        from common import logs

        logs.set_up(sys.stderr, whereabouts_of(context))
    if not isinstance(root.obj, Settings):
        root.obj = load_settings(os.environ)
    return root.obj


def whereabouts_of(context: click.Context) -> "Whereabouts":
    """Returns what each line of this process's log names: the seat and the positions of a worker."""
    from common.logs import Whereabouts

    found: Whereabouts = context.meta.setdefault(_WHEREABOUTS, Whereabouts())
    return found


class Seconds(click.FloatRange):
    """The type of an option: a finite number of seconds, 0 or more."""

    # click's own range accepts `nan` and `inf`, which no clock reaches.

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = float(super().convert(value, param, ctx))
        if not math.isfinite(seconds):
            self.fail(f"{value} is no finite number of seconds", param, ctx)
        return seconds
