"""`lambda360 quarantine`: copies of the rows that broke a rule of the quality gate."""

import json
from typing import TYPE_CHECKING

import click

from infra.context import settings_of, time_text

if TYPE_CHECKING:
    from batch_layer.gate.quarantine import Quarantined, Total


@click.group()
def quarantine() -> None:
    """Show the rows that broke a rule of the quality gate.

    Each is a copy with its batch, its rule and its position in the log; the row itself still counts in every answer.
    """


@quarantine.command(name="list")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Of the newest batches.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each batch and rule.")
@click.pass_context
def list_(context: click.Context, *, limit: int, as_json: bool) -> None:
    """Count the rows in quarantine by batch and rule, the newest batch first. Starts Spark."""
    from batch_layer.gate.quarantine import MOST_ROWS, totals
    from batch_layer.session import spark_session
    from infra.drawing import Column, draw
    from infra.paths import JARS

    settings = settings_of(context)
    with spark_session(settings, JARS / "spark") as spark:
        found = totals(spark, settings, limit)
    if as_json:
        for total in found:
            click.echo(json.dumps(total_details(total)))
    elif not found:
        click.echo("no row is in quarantine")
    else:
        draw([Column(heading) for heading in ("batch", "rule", "rows", "first")], map(total_row, found))
        if any(total.rows >= MOST_ROWS for total in found):
            click.echo(f"Of one rule, a batch keeps {MOST_ROWS:,} rows at most; the table `quality` has counted all.")
        click.echo("`lambda360 quarantine show --batch ID --rule RULE` shows them.")


@quarantine.command()
@click.option("--batch", "batch_id", metavar="ID", type=int, help="Of this batch.  [default: all, the newest first]")
@click.option("--rule", help="Of this rule.  [default: all]")
@click.option("--limit", type=click.IntRange(min=1, max=100_000), default=50, show_default=True, help="So many rows.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each row, with the record itself.")
@click.pass_context
def show(context: click.Context, *, batch_id: int | None, rule: str | None, limit: int, as_json: bool) -> None:
    """Show rows in quarantine with their positions. Starts Spark."""
    from batch_layer.gate.quarantine import rows_of
    from batch_layer.session import spark_session
    from infra.drawing import Column, draw
    from infra.paths import JARS

    settings = settings_of(context)
    with spark_session(settings, JARS / "spark") as spark:
        found = rows_of(spark, settings, batch_id=batch_id, rule=rule, limit=limit)
    if as_json:
        for row in found:
            click.echo(json.dumps(row_details(row), ensure_ascii=False))
    elif not found:
        click.echo("no such row is in quarantine; `lambda360 quarantine list` counts those that are")
    else:
        headings = ("batch", "rule", "position", "appended", "kind", "entity", "customer")
        draw([Column(heading) for heading in headings], map(row_of, found))
        if len(found) == limit:
            click.echo(f"These are the first {limit}; --limit shows more, and --json the records themselves.")


def total_row(total: "Total") -> tuple[str, ...]:
    """Returns one row of the list."""
    return (str(total.batch_id), total.rule, f"{total.rows:,}", str(total.first))


def total_details(total: "Total") -> dict[str, object]:
    """Returns a batch's count for JSON."""
    return {"batch_id": total.batch_id, "rule": total.rule, "rows": total.rows, "first": str(total.first)}


def row_of(row: "Quarantined") -> tuple[str, ...]:
    """Returns one row of `show`. A rejected record has no kind, entity and customer."""
    return (
        str(row.batch_id),
        row.rule,
        str(row.position),
        time_text(row.appended_at),
        row.kind or "-",
        row.entity_id or "-",
        row.customer_id or "-",
    )


def row_details(row: "Quarantined") -> dict[str, object]:
    """Returns a row for JSON, the record as text; bytes that are not UTF-8 are replaced."""
    return {
        "batch_id": row.batch_id,
        "rule": row.rule,
        "position": str(row.position),
        "appended_at": time_text(row.appended_at),
        "kind": row.kind,
        "entity_id": row.entity_id,
        "customer_id": row.customer_id,
        "value": None if row.value is None else row.value.decode("utf-8", "replace"),
    }
