"""`lambda360 keys`: makes API keys."""

import click

from serving_layer.access.keys import SCOPES, new_key


@click.group()
def keys() -> None:
    """Make API keys for the REST interface."""


@keys.command()
@click.option(
    "--scope", type=click.Choice(SCOPES), default="read", show_default=True, help="admin also changes things."
)
def new(scope: str) -> None:
    """Print a new key, and the line by which a server recognizes it.

    The key is kept nowhere, and cannot be shown again. Its holder sends it with each request, as `X-API-Key: KEY` or
    `Authorization: Bearer KEY`. The line goes into the file that LAMBDA360_ACCESS_KEYS_FILE names; then restart
    `serve`.
    """
    made = new_key("admin" if scope == "admin" else "read")
    click.echo(f"key   {made.key}")
    click.echo(f"line  {made.line}")
