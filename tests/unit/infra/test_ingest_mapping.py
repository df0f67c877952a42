"""The options of an import, checked before anything is produced."""

import pytest

from common.errors import UsageError
from infra.ingest.mapping import mapping_of

COLUMNS = ("id", "customer_id", "order_date", "total_amount", "status")


def test_fields_come_from_their_own_columns_unless_mapped_or_set() -> None:
    mapping = mapping_of("order", ["order_id=id"], ["currency=USD"], ["status:Done=completed", "status:a=b=shipped"])
    mapping = mapping.resolved(COLUMNS)
    assert mapping.column_of("order_id") == "id"
    assert mapping.column_of("status") == "status"
    assert mapping.translations == {"status": {"Done": "completed", "a=b": "shipped"}}
    assert mapping.wanted == {"id", "customer_id", "order_date", "total_amount", "status"}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"maps": ["orderid=id"]}, "orderid=id.*no field of order; its fields are: order_id"),
        ({"maps": ["order_id"]}, "written --map field=column"),
        ({"maps": ["order_id="]}, "written --map field=column"),
        ({"maps": ["order_id=a", "order_id=b"]}, "given twice"),
        ({"maps": ["status=s"], "sets": ["status=completed"]}, "mapped to a column already"),
        ({"sets": ["status=gone"]}, "status=gone.*gone"),
        ({"sets": ["total_amount=1.234"]}, "total_amount=1.234"),
        ({"sets": ["order_date=yesterday"]}, "order_date=yesterday.*RFC 3339"),
        ({"map_values": ["status=Done"]}, "written --map-value field:from=to"),
        ({"map_values": ["status:Done"]}, "written --map-value field:from=to"),
        ({"map_values": ["state:Done=completed"]}, "'state' is no field of order"),
        ({"map_values": ["status:Done=gone"]}, "status:Done=gone"),
        ({"map_values": ["status:a=shipped", "status:a=pending"]}, "translated twice"),
    ],
)
def test_a_wrong_option_is_named_with_its_rule(options: dict[str, list[str]], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        mapping_of("order", **options)  # type: ignore[arg-type] # the zone is not among them


def test_a_mapping_that_names_no_column_lists_the_columns() -> None:
    with pytest.raises(UsageError, match="'nr' is no column of the file; the columns are: id, customer_id"):
        mapping_of("order", ["order_id=nr"]).resolved(COLUMNS)


def test_a_required_field_without_a_source_is_named() -> None:
    with pytest.raises(UsageError, match=r"order_id.*required.*--map order_id=COLUMN.*the columns are: id"):
        mapping_of("order").resolved(COLUMNS)


def test_an_unknown_kind_lists_the_kinds() -> None:
    with pytest.raises(
        UsageError,
        match=r"'orders'.*order, refund, support_ticket, marketing_event, customer_profile, ticket, marketing, profile",
    ):
        mapping_of("orders")
