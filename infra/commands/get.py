"""`lambda360 get`: a customer's metrics, as the running API answers them."""

import json
from datetime import datetime
from pathlib import Path

import click

from infra.commands.asking import address, answer, head, text
from infra.context import DAY


@click.command()
@click.argument("customer", metavar="CUSTOMER")
@click.option("--as-of", type=DAY, help="A day, YYYY-MM-DD.  [default: today, UTC]")
@click.option("--json", "as_json", is_flag=True, help="Print the API's answer as one JSON object.")
@address
@click.pass_context
def get(
    context: click.Context,
    customer: str,
    *,
    as_of: datetime | None,
    as_json: bool,
    url: str | None,
    key_file: Path | None,
) -> None:
    """Show CUSTOMER's metrics, and how exact they are. It asks the running API (`lambda360 serve`).

    A day before today is answered with today's knowledge: facts of later days are left out, and what was corrected
    since is corrected.
    """
    from infra.drawing import Column, draw

    found = answer(context, customer, "metrics", url=url, key_file=key_file, as_of=as_of)
    if as_json:
        click.echo(json.dumps(found))
        return
    draw((Column(), Column()), head(found))
    click.echo()
    draw((Column("metric"), Column("value")), [(name, text(value)) for name, value in found["metrics"].items()])
