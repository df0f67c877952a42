"""`lambda360 notifications`: what people were told of runs and alerts, and what the webhook has not taken yet."""

import json
import os
import signal
import threading
import time
from collections import deque
from contextlib import closing
from functools import partial
from heapq import merge
from typing import TYPE_CHECKING, Final

import click

from infra.context import clock, settings_of

if TYPE_CHECKING:
    from cassandra.cluster import Session

    from common.servers.delivery import Delivery
    from common.settings import Settings

_QUEUES: Final = ("batch", "alerts")


@click.group()
def notifications() -> None:
    """List what people were told, send again what the webhook has not taken, forward alerts.

    A run sends its own notifications, and what earlier runs could not send. LAMBDA360_NOTIFY_URL names the webhook.
    """


@notifications.command(name="list")
@click.option("--pending", is_flag=True, help="Only what the webhook has not acknowledged.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The newest so many.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each, with its body.")
@click.pass_context
def list_(context: click.Context, *, pending: bool, limit: int, as_json: bool) -> None:
    """List what is kept, the oldest first: when, its id, whether it was delivered, and what it says."""
    from common.servers.cassandra import connected
    from infra.drawing import Column, draw
    from infra.operate.notifications.table import OperatorTable
    from infra.operate.notifications.text import details, row_of

    settings = settings_of(context)
    with connected(settings) as session:
        table = OperatorTable(session, settings.notify, clock)
        kept = merge(*(table.kept(queue) for queue in _QUEUES), key=lambda each: each.at)
        found = deque((each for each in kept if not pending or each.delivered_at is None), maxlen=limit)
    if as_json:
        for each in found:
            click.echo(json.dumps(details(each)))
    elif not found:
        click.echo("no notification is pending" if pending else "no notification is kept")
    else:
        draw([Column(heading) for heading in ("when", "id", "delivered", "what")], map(row_of, found))


@notifications.command()
@click.option("--queue", "queues", type=click.Choice(_QUEUES), multiple=True, default=_QUEUES, help="Only this one.")
@click.pass_context
def replay(context: click.Context, *, queues: tuple[str, ...]) -> int:
    """Send everything that the webhook has not acknowledged, in order; exit 1 if some of it is left.

    Each keeps its id, so a receiver that drops ids that it knows has the effect once.
    """
    from common.servers.cassandra import connected

    settings = settings_of(context)
    _check_webhook(settings)
    left = False
    with connected(settings) as session:
        delivery = _delivery(settings, session)
        for queue in queues:
            done = delivery.run(queue)
            left = left or bool(done.refused or done.failure)
            click.echo(f"{queue}: {done.summary}")
    return 1 if left else 0


@notifications.command()
@click.option("--from-now", "start", flag_value="now", help="Without committed offsets: only what comes from now on.")
@click.option("--from-beginning", "start", flag_value="beginning", help="Likewise: all that the topic still holds.")
@click.pass_context
def forward(context: click.Context, *, start: str | None) -> int:
    """Send the alerts of the speed layer to the webhook, until SIGTERM or Ctrl-C.

    Each is kept before its offset is committed, and sent under its own id, at least once. What the webhook does not
    take waits, in order. Run one at a time; a second one waits for its place in the consumer group.
    """
    from common.servers import kafka
    from common.servers.cassandra import connected
    from infra.operate.notifications.begin import begin
    from infra.operate.notifications.forward import Forwarder
    from serving_layer.live.contact import Contact

    settings = settings_of(context)
    _check_webhook(settings)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    tell = partial(click.echo, err=True)
    contact = Contact(settings.bootstrap_servers, tell, "forwarding")
    with (
        connected(settings) as session,
        closing(kafka.consumer(settings, settings.notify.group, error_cb=contact.failed)) as client,
    ):
        begin(settings, client, start)
        client.subscribe([settings.log.alerts_topic])
        forwarder = Forwarder(client, _delivery(settings, session), contact, time.monotonic)
        try:
            while not ended.is_set():
                forwarder.turn()
        except KeyboardInterrupt:
            return os.EX_OK
    return os.EX_OK


def _delivery(settings: "Settings", session: "Session") -> "Delivery":
    from common.servers.delivery import Delivery
    from common.servers.webhook import new_breaker
    from infra.operate.notifications.table import OperatorTable

    table = OperatorTable(session, settings.notify, clock)
    return Delivery(settings.notify, table, new_breaker(settings.notify), clock)


def _check_webhook(settings: "Settings") -> None:
    from common.errors import SettingsError

    if not settings.notify.url:
        raise SettingsError("LAMBDA360_NOTIFY_URL", "", "the URL of a webhook; there is nothing to send to")
