"""The `lambda360` command: it loads the one command asked for, and words its errors."""

import importlib
import sys
from collections.abc import Mapping
from typing import Final

import click

from common.errors import Lambda360Error, UsageError, shorten
from infra.context import OwnProcess

INTERRUPTED: Final = 130

# name → (module, attribute, one line of help): a module is imported when its command is asked for, and not before.
COMMANDS: Final[Mapping[str, tuple[str, str, str]]] = {
    "stack": ("infra.commands.stack", "stack", "Run Kafka and Cassandra on this machine: up, down, status, reset."),
    "import": (
        "infra.commands.import_",
        "import_",
        "Bring a file of orders, refunds, tickets, events or profiles in.",
    ),
    "schema": (
        "infra.commands.schema",
        "schema",
        "Apply tables and topics to any cluster, list what was applied, show a record's schema.",
    ),
    "speed": ("infra.commands.speed", "speed", "Run a speed worker, or wait until the log's end is applied."),
    "watch": ("infra.commands.watch", "watch", "Show live deltas, and the metrics that moved."),
    "batch": ("infra.commands.batch", "batch", "Run the nightly job, or list its runs."),
    "dead-letters": (
        "infra.commands.dead_letters",
        "dead_letters",
        "Look at rejected records, replay or discard them.",
    ),
    "serve": ("infra.commands.serve", "serve", "Answer REST requests on 127.0.0.1:8360."),
    "doctor": ("infra.commands.doctor", "doctor", "Say what is installed, running and reachable, and what to do."),
    "demo": ("infra.commands.demo", "demo", "Run the whole system on real purchases and check every answer."),
}


class LazyGroup(click.Group):
    """A group that lists `COMMANDS` without importing any of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lambda360")
def lambda360() -> None:
    """Exact customer metrics, merged from a batch view and a stream."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command and exit: 0 done, 1 an error said in one line, 2 wrong usage, 130 interrupted."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments, OwnProcess()))


def run(arguments: list[str], process: OwnProcess | None = None) -> int:
    """The exit code of `arguments`; a known error is one line on stderr, never a traceback."""
    try:
        result = lambda360.main(arguments, prog_name="lambda360", standalone_mode=False, obj=process)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except UnicodeEncodeError as error:
        click.secho(f"error: {shorten(error.object)}: text in UTF-8", fg="red", err=True)
        return 2
    except Lambda360Error as error:
        click.secho(f"error: {error}", fg="red", err=True)
        return 2 if isinstance(error, UsageError) else 1
    return result if isinstance(result, int) else 0
