"""`lambda360 get`: a customer's metrics, as the running API answers them."""

from collections.abc import Mapping
from typing import Any

import click

from infra.commands.asking import asks_about_customer, head, text


@click.command()
@asks_about_customer("metrics")
def get(found: Mapping[str, Any]) -> None:
    """Show CUSTOMER's metrics, and how exact they are. It asks the running API (`lambda360 serve`).

    A day before today is answered with today's knowledge: facts of later days are left out, and what was corrected
    since is corrected.
    """
    from infra.drawing import Column, draw

    draw((Column(), Column()), head(found))
    click.echo()
    draw((Column("metric"), Column("value")), [(name, text(value)) for name, value in found["metrics"].items()])
