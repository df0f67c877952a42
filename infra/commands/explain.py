"""`lambda360 explain`: why a customer's metrics are what they are, as the running API explains them."""

from collections.abc import Mapping
from typing import Any

import click

from infra.commands.asking import asks_about_customer, head, text


@click.command()
@asks_about_customer("explain")
def explain(found: Mapping[str, Any]) -> None:
    """Show what CUSTOMER's metrics are added up from: the batch's part, every change since, the sums, the formulas.

    It asks the running API (`lambda360 serve`).
    """
    from infra.drawing import Column, draw

    draw((Column(), Column()), head(found))
    click.echo("\nChanges since the batch")
    if found["deltas_left_out"]:
        click.echo(f"({found['deltas_left_out']} older ones are in the sums, and not shown)")
    if found["deltas"]:
        columns = ("position", "recorded", "kind", "entity", "happened", "changed", "adds", "from")
        draw([Column(name) for name in columns], map(_row, found["deltas"]))
    else:
        click.echo("none")
    click.echo("\nMeasures, over the days up to the day above")
    amounts = ("batch", "deltas", "sum")
    draw(
        [Column("measure"), *(Column(name, right=True) for name in amounts), Column("unit")],
        [(each["measure"], *(text(each[name]) for name in amounts), each["unit"]) for each in found["measures"]],
    )
    click.echo("\nMetrics")
    batch = (found["batch"] or {}).get("metrics") or {}
    draw(
        [Column("metric"), Column("value", right=True), Column("by the batch", right=True), Column("formula")],
        [
            (each["metric"], text(found["metrics"][each["metric"]]), text(batch.get(each["metric"])), each["formula"])
            for each in found["formulas"]
        ],
    )


def _row(delta: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns a change as one row."""
    changes = (f"{field} {text(before)} -> {text(after)}" for field, (before, after) in delta["changes"].items())
    shares = (f"{each['measure']} {_signed(each['amount'])} on {each['day']}" for each in delta["contribution"])
    return (
        delta["position"],
        delta["recorded_at"],
        delta["kind"] or "-",
        delta["entity_id"] or "-",
        delta["happened"],
        ", ".join(changes) or "-",
        ", ".join(shares) or "nothing",
        _origin(delta["origin"]),
    )


def _origin(origin: Mapping[str, Any] | None) -> str:
    if origin is None:
        return "-"
    where = origin["file"] or origin["source"]
    return where if origin["row"] is None else f"{where}, row {origin['row']}"


def _signed(amount: str | int) -> str:
    shown = str(amount)
    return shown if shown.startswith("-") else f"+{shown}"
