"""`lambda360 batch rankings`: the customers of greatest value, as the current batch ranks them."""

import json
from typing import TYPE_CHECKING

import click

from infra.context import settings_of

if TYPE_CHECKING:
    from batch_layer.export.ranked import Ranking
    from common.algebra.rankings import RankingKey


@click.command()
@click.argument("metric", metavar="METRIC")
@click.option("--segment", metavar="SEGMENT", help="Rank the customers of this segment only.")
@click.option("--country", metavar="COUNTRY", help="Rank the customers of this country only, such as GB.")
@click.option("--json", "as_json", is_flag=True, help="Print the ranking as one JSON object.")
@click.pass_context
def rankings(context: click.Context, metric: str, *, segment: str | None, country: str | None, as_json: bool) -> None:
    """Show the customers with the greatest values of METRIC, from the top; equal values are in the order of the ids.

    A ranking is of a batch and its day: what the speed layer learned since is in answers, and not in it. While the
    current batch's rankings are being made, those of the batch before are shown; the batch is named.
    """
    from batch_layer.export.ranked import read
    from batch_layer.view import publish
    from common.servers.cassandra import connected

    key = ranking_key(metric, segment, country)
    with connected(settings_of(context)) as session:
        found = read(session, publish.read(session), key)
    if as_json:
        click.echo(json.dumps(details(key, found)))
    else:
        _draw(key, found)


def ranking_key(metric: str, segment: str | None, country: str | None) -> "RankingKey":
    """Returns the ranking that the arguments name. Raises UsageError with the rule."""
    from common.algebra.metrics import RANKED
    from common.algebra.rankings import RankingKey, Scope
    from common.errors import UsageError

    names = [each.name for each in RANKED]
    if metric not in names:
        raise UsageError("METRIC", metric, f"a metric by which customers are ranked: {', '.join(names)}")
    if segment is not None and country is not None:
        raise UsageError("--country", country, "a ranking is of a segment or of a country, not of both")
    if segment is not None:
        return RankingKey(metric, Scope.SEGMENT, segment)
    if country is not None:
        return RankingKey(metric, Scope.COUNTRY, country)
    return RankingKey(metric)


def details(key: "RankingKey", found: "Ranking") -> dict[str, object]:
    """Returns a ranking for JSON; values have the form that they have in answers."""
    from common.algebra.rankings import shown

    entries = [
        {"rank": rank, "customer_id": entry.customer_id, "value": shown(key.metric, entry.value)}
        for rank, entry in enumerate(found.entries, start=1)
    ]
    return {
        "metric": key.metric,
        "scope": str(key.scope),
        "member": key.member or None,
        "as_of": found.as_of.isoformat(),
        "batch_id": found.batch_id,
        "size": found.size,
        "items": entries,
    }


def _draw(key: "RankingKey", found: "Ranking") -> None:
    from common.algebra.rankings import shown
    from infra.drawing import Column, draw

    rows = [
        (str(rank), entry.customer_id, str(shown(key.metric, entry.value)))
        for rank, entry in enumerate(found.entries, start=1)
    ]
    if rows:
        draw([Column("rank", right=True), Column("customer"), Column(key.metric, right=True)], rows)
    else:
        click.echo("no customer is in this ranking")
    click.echo(f"As of {found.as_of}, by batch {found.batch_id}; at most {found.size} customers.")
