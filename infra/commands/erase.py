"""`lambda360 erase`: forgets a customer, or erases again after a restore what a ledger names."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from common.errors import UsageError
from infra.context import clock, operator, settings_of

if TYPE_CHECKING:
    from infra.operate.erasure.erase import Asked, Eraser

NEXT = (
    "Answers forget what came before as soon as the speed layer has applied the record (`lambda360 speed wait`). The "
    "next `lambda360 batch run` takes it in; `lambda360 batch maintain --erasures` then removes the older records "
    "themselves."
)


@click.command()
@click.argument("customers", metavar="CUSTOMER...", nargs=-1)
@click.option("--reason", default="", help="Why; journal and ledger keep it. It must not name the customer.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.option(
    "--from-ledger",
    "ledger_file",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="After a restore: erase again every customer that this ledger names.",
)
@click.option(
    "--since", metavar="TIME", help="With --from-ledger: the backup's time, in ISO 8601; UTC if it says none."
)
@click.pass_context
def erase(
    context: click.Context,
    customers: tuple[str, ...],
    reason: str,
    *,
    yes: bool,
    ledger_file: Path | None,
    since: str | None,
) -> int:
    """Forget customers: all that the log holds of them so far no longer counts, in both layers and in every batch.

    It cannot be undone. Appends one record for each to the log, and prints its position. The erasure ledger
    (LAMBDA360_ERASURE_LEDGER) keeps the id, since a restore must erase again; the journal keeps the position only.
    Records that come afterwards count.
    """
    from common.servers.cassandra import connected
    from infra.operate.erasure.erase import Eraser

    if bool(customers) == (ledger_file is not None):
        raise click.UsageError("Name customers, or a ledger by --from-ledger.")
    if (ledger_file is None) != (since is None):
        raise click.UsageError("--from-ledger and --since belong together: erasures before the backup are in it.")
    settings = settings_of(context)
    with connected(settings) as session:
        eraser = Eraser(settings, session, clock)
        if ledger_file is None:
            asked = _named(customers, reason)
        else:
            asked = _from_ledger(eraser, ledger_file, _time(since or ""), reason)
        for each in asked:
            eraser.check(each.customer_id, each.reason)
        if not asked:
            click.echo("nothing to erase: this log holds every erasure that the ledger names since then")
            return 0
        _confirm(asked, yes=yes)
        for each in asked:
            click.echo(f"erased {each.customer_id!r}: position {eraser.erase(each)} of the log")
    click.echo(f"The ledger {eraser.ledger} keeps who was erased; it is needed after a restore.")
    click.echo(NEXT)
    return 0


def _named(customers: tuple[str, ...], reason: str) -> "list[Asked]":
    from infra.operate.erasure.erase import Asked

    return [Asked(each, operator(), reason) for each in dict.fromkeys(customers)]


def _from_ledger(eraser: "Eraser", file: Path, since: datetime, reason: str) -> "list[Asked]":
    from infra.operate.erasure import ledger
    from infra.operate.erasure.erase import Asked

    topic_id = eraser.identity.topic_id
    entries = ledger.to_apply_again(ledger.read(file), since, topic_id, ledger.read(eraser.ledger))
    return [Asked(each.customer_id, operator(), reason or each.reason, again_of=each.id) for each in entries]


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError("--since", text, "a time in ISO 8601, such as 2026-11-26T02:00:00Z") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _confirm(asked: "list[Asked]", *, yes: bool) -> None:
    who = ", ".join(repr(each.customer_id) for each in asked[:5]) + (", …" if len(asked) > 5 else "")
    if not yes:
        click.confirm(f"Forget {len(asked)} of the log's customers for good ({who})?", abort=True)
