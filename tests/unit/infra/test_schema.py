"""`lambda360 schema show`: the types' own JSON Schemas."""

import json

import pytest
from click.testing import CliRunner

from common.errors import UsageError
from infra.commands.schema import schema


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
