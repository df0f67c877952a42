"""`lambda360 watch`: shows what the speed layer does, as it does it."""

import os
import sys
from contextlib import closing
from functools import partial

import click

from common.algebra.payloads import PAYLOADS
from common.errors import UsageError
from common.log.wire import ALIASES
from infra.context import clock, settings_of


@click.command()
@click.argument("customers", nargs=-1, metavar="[CUSTOMER]...")
@click.option(
    "--kind", "kinds", multiple=True, help="Only this kind: order, refund, ticket, marketing, profile; repeatable."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on each line.")
@click.option("--from-beginning", is_flag=True, help="From the first delta that the topic still holds.")
@click.option(
    "--from",
    "positions",
    multiple=True,
    metavar="P:O",
    help="Begin at this position in the log (partition:offset, as it is shown); repeatable.",
)
@click.option("--alerts/--no-alerts", default=True, show_default=True, help="Show alerts, too.")
@click.option("--limit", type=click.IntRange(min=1), help="End after so many events.")
@click.pass_context
def watch(
    context: click.Context,
    *,
    customers: tuple[str, ...],
    kinds: tuple[str, ...],
    as_json: bool,
    from_beginning: bool,
    positions: tuple[str, ...],
    alerts: bool,
    limit: int | None,
) -> int:
    """Show live deltas: time, customer, kind, what changed, and the metrics that moved.

    It follows the published deltas from now on, or from a position, until Ctrl-C. A delta that is published again is
    shown once. If a batch has absorbed a delta, or Cassandra does not answer, the measures' values are shown instead.
    """
    from infra.operate.watch import session
    from infra.operate.watch.render import Pipe, Screen
    from serving_layer.live.effects import Views, cassandra
    from serving_layer.live.positions import parse_positions

    if positions and from_beginning:
        raise UsageError("--from", positions[0], "either --from or --from-beginning")
    settings = settings_of(context)
    wish = session.Wish(
        customers=frozenset(map(_customer, customers)),
        kinds=frozenset(map(_kind, kinds)),
        positions=parse_positions(positions),
        from_beginning=from_beginning,
        alerts=alerts,
        limit=limit,
    )
    screen = Screen(Pipe(), json_lines=as_json)
    try:
        with closing(Views(cassandra(settings), clock=clock)) as views:
            session.watch(settings, wish, views, show=screen.show, tell=partial(click.echo, err=True))
    except BrokenPipeError:
        # Python flushes stdout at the end, and would fail again on what is still buffered.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return 0
    return 0


def _customer(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError("CUSTOMER", text, "an id in UTF-8") from error
    return text


def _kind(text: str) -> str:
    kind = ALIASES.get(text, text)
    if kind not in PAYLOADS:
        raise UsageError("--kind", text, f"one of {', '.join((*PAYLOADS, *ALIASES))}")
    return kind
