"""What commands share: the settings of a run, the ways to report, and types of options."""

import math
import os
from collections.abc import Callable

import click

from common.settings import Settings, load_settings

Report = Callable[[str], None]
"""Takes one line for a person."""


def quiet(_: str) -> None:
    """A report that nobody reads."""


def settings_of(context: click.Context) -> Settings:
    """The settings of this run, read from the environment at the first call; the one place that reads it."""
    root = context.find_root()
    if not isinstance(root.obj, Settings):
        root.obj = load_settings(os.environ)
    return root.obj


class Seconds(click.FloatRange):
    """A finite number of seconds, 0 or more: click's own range lets `nan` and `inf` pass, which no clock reaches."""

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = float(super().convert(value, param, ctx))
        if not math.isfinite(seconds):
            self.fail(f"{value} is no finite number of seconds", param, ctx)
        return seconds
