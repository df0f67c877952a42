"""`lambda360 schema`: the types' own JSON Schemas, and how changes and plans are shown."""

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from common.errors import UsageError
from infra.commands.schema import as_cql, row_of, schema
from infra.schema.changes import Change, Recorded
from infra.schema.look import Plan, State, lines


@pytest.mark.parametrize(
    ("name", "type_"),
    [("order", "order.recorded"), ("ticket", "support_ticket.recorded"), ("erasure", "customer.erased")],
)
def test_every_kind_and_its_short_name_has_a_schema(name: str, type_: str) -> None:
    result = CliRunner().invoke(schema, ["show", name], catch_exceptions=False)
    shown = json.loads(result.output)
    assert shown["properties"]["type"] == {"enum": [type_]}
    assert "customer_id" in next(iter(shown["$defs"].values()))["required"]


def test_an_unknown_kind_is_named_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"'invoice'.*order, refund"):
        CliRunner().invoke(schema, ["show", "invoice"], catch_exceptions=False)


def test_a_list_shows_what_is_applied_pending_changed_and_of_a_newer_release() -> None:
    known = [Change(number, f"step-{number}", (f"S{number}",)) for number in (1, 2, 3)]
    at = datetime(2026, 11, 25, 19, 43, 4, tzinfo=UTC)
    recorded = [
        Recorded(1, "step-1", known[0].checksum, at, "ada"),
        Recorded(2, "step-2", "another", at, "bob"),
        Recorded(4, "step-4", "unknown", at, "eve"),
    ]

    rows = [row_of(line) for line in lines(known, recorded)]

    assert rows == [
        ("0001-step-1", State.APPLIED, "2026-11-25 19:43:04Z", "ada"),
        ("0002-step-2", State.CHANGED, "2026-11-25 19:43:04Z", "bob"),
        ("0003-step-3", State.PENDING, "-", "-"),
        ("0004-step-4", State.NEWER, "2026-11-25 19:43:04Z", "eve"),
    ]


def test_a_plan_is_shown_as_cql() -> None:
    changes = [Change(2, "two", ("CREATE TABLE t (\n    a int\n)", "ALTER TABLE t ADD b int"))]

    shown = list(as_cql(Plan("CREATE KEYSPACE k", changes, {})))

    assert shown == [
        "CREATE KEYSPACE k;",
        "-- 0002-two",
        "CREATE TABLE t (\n    a int\n);",
        "ALTER TABLE t ADD b int;",
    ]
    assert list(as_cql(Plan(None, [], {}))) == []
