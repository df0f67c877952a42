"""`lambda360 dead-letters`: look at what validation rejected, append it to the log again, or discard it."""

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import click

from common.errors import Lambda360Error, UsageError
from infra.context import Seconds, clock, settings_of
from infra.operate.dead_letters.options import filters, selection
from infra.operate.dead_letters.selection import STATES, Filter, Selection, parse_id

if TYPE_CHECKING:
    from infra.operate.dead_letters.judge import Refused
    from infra.operate.dead_letters.table import OperatorTable

SOME_REFUSED: Final = 3
INTERRUPTED: Final = 130


@click.group("dead-letters")
def dead_letters() -> None:
    """Look at what validation rejected, append it to the log again, or discard it."""


@dead_letters.command("list")
@filters
@click.option("--state", type=click.Choice(list(STATES)), default="open", show_default=True)
@click.option(
    "--limit", type=click.IntRange(0, 2**31 - 1), default=50, show_default=True, help="Letters shown; 0: all."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, without the value's bytes.")
@click.pass_context
def list_(context: click.Context, *, wanted: Filter, state: str, limit: int, as_json: bool) -> None:
    """List letters, in the order of day, partition and offset."""
    from infra.operate.dead_letters import report, view

    with _table(context) as table:
        found = table.letters(replace(wanted, states=STATES[state]), with_values=False)
        shown = view.show_each(itertools.islice(found, limit or None), as_json=as_json)
        more = bool(limit) and shown == limit and next(found, None) is not None
    if not as_json:
        click.echo(report.after_list(shown, state, more=more))


@dead_letters.command()
@click.argument("letter_id", metavar="P:O")
@click.option("--raw", is_flag=True, help="Write the value's bytes to stdout, and nothing else.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, with bytes in base64.")
@click.pass_context
def show(context: click.Context, *, letter_id: str, raw: bool, as_json: bool) -> None:
    """Show everything about one letter."""
    from infra.operate.dead_letters import view

    wanted = parse_id(letter_id, "P:O")
    with _table(context) as table:
        letter = table.find(wanted)
    if raw:
        if letter.value is None or len(letter.value) != letter.value_bytes:
            what = "the record has no value" if letter.value_bytes is None else "only a prefix of the value is kept"
            raise Lambda360Error(f"{what}; the record is in the log at partition:offset {wanted}")
        click.get_binary_stream("stdout").write(letter.value)
    elif as_json:
        click.echo(json.dumps(view.as_dict(letter, with_value=True)))
    else:
        for text in view.pages(letter):
            click.echo(text)


@dead_letters.command("replay")
@selection
@click.option("--timeout", type=Seconds(), default=60.0, show_default=True, help="Seconds to wait for erasures.")
@click.pass_context
def replay_(context: click.Context, *, chosen: Selection, timeout: float) -> int:
    """Append letters to the log again: same key, same bytes, in the customer's own partition.

    Only what the present rules accept is appended; the rest is listed with its reason. A letter that is marked as
    replayed is refused. First it waits until the speed layer has applied the log to its present end, since a customer
    may have been erased.

    After a crash or a lost server, run it again. A record that was appended, and not marked, is appended once more, so
    that nothing is lost. Of equal versions the later record wins (R4): the letter's then replaces one that was
    appended in between.

    An erasure is replayed only by --id, because it erases all that lies before its new position. First check, with
    `dead-letters show` and by the customer's answers, whether it is in the log already. An erasure that the speed
    layer knows is refused.

    Exit code: 0 all were appended; 3 some were refused; 1 it could not be finished; 2 wrong usage, nothing was sent.
    """
    from infra.operate.dead_letters import report
    from infra.operate.dead_letters.replay import Summary
    from infra.operate.dead_letters.run import Reports, run

    summary = Summary()
    try:
        with _table(context) as table, report.counter() as counted:
            reports = Reports(summary, _report, counted)
            run(settings_of(context), table, chosen, timeout=timeout, report=reports)
    except KeyboardInterrupt:
        click.echo("\n".join(report.after_replay(summary, interrupted=True)))
        return INTERRUPTED
    except BaseException:
        if not summary.is_empty:
            click.echo("\n".join(report.after_replay(summary, failed=True)))
        raise
    click.echo("\n".join(report.after_replay(summary)))
    return SOME_REFUSED if summary.refused else 0


@dead_letters.command()
@selection
@click.option("--reason", required=True, help="Why; it is kept with the letter.")
@click.pass_context
def discard(context: click.Context, *, chosen: Selection, reason: str) -> int:
    """Discard letters: they are no longer listed as open. Their bytes stay, and `replay --id` still takes them.

    Exit code: 0 done; 3 some were replayed before, and are left as they are.
    """
    from common.log.dead_letters import Discarded
    from infra.operate.dead_letters.giving_up import give_up

    if not 1 <= len(reason.strip()) <= 500:
        raise UsageError("--reason", reason, "1 to 500 characters")
    with _table(context) as table:
        summary = give_up(table, chosen, Discarded(clock(), reason.strip()))
    click.echo(f"{summary.discarded:,} discarded")
    for address in summary.replayed:
        click.echo(f"not discarded, because it was replayed: {address.position}")
    return SOME_REFUSED if summary.replayed else 0


@contextmanager
def _table(context: click.Context) -> "Iterator[OperatorTable]":
    from common.servers.cassandra import connected
    from infra.operate.dead_letters.table import OperatorTable, translated_errors

    with connected(settings_of(context)) as session, translated_errors():
        yield OperatorTable(session)


def _report(refused: "Refused") -> None:
    click.echo(f"refused {refused.letter.position}: {refused.field}: {refused.value}: {refused.rule}")
