"""The exit codes of batches, which a scheduler acts on, for a group of commands and for a single one."""

from collections.abc import Callable
from typing import Final

import click

GATE: Final = 3
DRIFT: Final = 4
CLAIMED: Final = 5
UNAVAILABLE: Final = 6
OTHER_LOG: Final = 7


class BatchGroup(click.Group):
    """A group whose commands end with these codes."""

    def invoke(self, ctx: click.Context) -> object:
        return coded(lambda: super(BatchGroup, self).invoke(ctx))


class BatchCommand(click.Command):
    """A command outside of that group that ends with these codes."""

    def invoke(self, ctx: click.Context) -> object:
        return coded(lambda: super(BatchCommand, self).invoke(ctx))


def coded(command: Callable[[], object]) -> object:
    """Returns what `command` returns; after an error that has a code of its own, prints it and returns the code."""
    from common.errors import ClaimLost, DriftFound, GateClosed, Lambda360Error, LogError, Unavailable

    codes: dict[type[Lambda360Error], int] = {
        GateClosed: GATE,
        DriftFound: DRIFT,
        ClaimLost: CLAIMED,
        Unavailable: UNAVAILABLE,
        LogError: OTHER_LOG,
    }
    try:
        return command()
    except tuple(codes) as error:
        click.secho(f"error: {error}", fg="red", err=True)
        if isinstance(error, GateClosed):
            click.echo("".join(f"for example {line}\n" for line in error.examples), nl=False, err=True)
        return next(code for kind, code in codes.items() if isinstance(error, kind))
