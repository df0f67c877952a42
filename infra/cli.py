"""The `lambda360` command: it loads only the command that is asked for, and prints its errors."""

import importlib
import sys
from collections.abc import Mapping
from typing import Final, NamedTuple

import click

from common.errors import Lambda360Error, UsageError, shorten
from infra.context import OwnProcess

INTERRUPTED: Final = 130


class Entry(NamedTuple):
    """Where a command is, and its line of help. Its module is imported when the command is asked for, not before."""

    module: str
    attribute: str
    text: str


COMMANDS: Final[Mapping[str, Entry]] = {
    "stack": Entry("infra.commands.stack", "stack", "Run Kafka and Cassandra here: up, down, status, reset."),
    "import": Entry(
        "infra.commands.import_", "import_", "Import a file of orders, refunds, tickets, events, profiles."
    ),
    "schema": Entry("infra.commands.schema", "schema", "Apply and list tables and topics; show a record's schema."),
    "speed": Entry("infra.commands.speed", "speed", "Run speed workers, show them, wait for the log's end."),
    "watch": Entry("infra.commands.watch", "watch", "Show live deltas, and the metrics that moved."),
    "batch": Entry("infra.commands.batch", "batch", "Run the nightly job, list its runs, roll back."),
    "backfill": Entry(
        "infra.commands.backfill", "backfill", "Export past days to the warehouse again: `batch backfill`."
    ),
    "export": Entry("infra.commands.export", "export", "Write one day's customers to a file, or features to a folder."),
    "quarantine": Entry("infra.commands.quarantine", "quarantine", "Show rows that broke a rule of the quality gate."),
    "notifications": Entry(
        "infra.commands.notifications", "notifications", "List what people were told, replay it, forward alerts."
    ),
    "lineage": Entry(
        "infra.commands.lineage", "lineage", "Show what a run read and wrote, and what a bad file touches."
    ),
    "journal": Entry("infra.commands.journal", "journal", "List what operators decided, and why."),
    "erase": Entry("infra.commands.erase", "erase", "Forget a customer, in both layers and for good."),
    "restore": Entry("infra.commands.restore", "restore", "Fill a new log from a master, after a log was lost."),
    "dead-letters": Entry("infra.commands.dead_letters", "dead_letters", "List, replay or discard rejected records."),
    "serve": Entry("infra.commands.serve", "serve", "Answer REST requests on 127.0.0.1:8360."),
    "get": Entry("infra.commands.get", "get", "Show a customer's metrics, as the running API answers them."),
    "explain": Entry("infra.commands.explain", "explain", "Show what a customer's metrics are added up from."),
    "keys": Entry("infra.commands.keys", "keys", "Make API keys for the REST interface."),
    "doctor": Entry("infra.commands.doctor", "doctor", "Show what is installed, running and reachable."),
    "demo": Entry("infra.commands.demo", "demo", "Run the whole system on real purchases and check every answer."),
}


class LazyGroup(click.Group):
    """A group that lists `COMMANDS` without importing any of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        entry = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(entry.module), entry.attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.text) for name, entry in COMMANDS.items()])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lambda360")
def lambda360() -> None:
    """Exact customer metrics, merged from a batch view and a stream."""


def main(arguments: list[str] | None = None) -> None:
    """Runs the command, and exits with its code: 0 done, 1 an error, 2 wrong usage, 130 interrupted.

    Some commands have further codes, which their help names.
    """
    sys.exit(run(sys.argv[1:] if arguments is None else arguments, OwnProcess()))


def run(arguments: list[str], process: OwnProcess | None = None) -> int:
    """Runs the command and returns its exit code. A known error is one line on stderr, without a traceback."""
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
