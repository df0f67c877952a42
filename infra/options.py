"""Types of options that several commands have."""

import math

import click


class Seconds(click.FloatRange):
    """A finite number of seconds, 0 or more: click's own range lets `nan` and `inf` pass, which no clock reaches."""

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = float(super().convert(value, param, ctx))
        if not math.isfinite(seconds):
            self.fail(f"{value} is no finite number of seconds", param, ctx)
        return seconds
