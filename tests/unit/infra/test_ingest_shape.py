"""The shape of a file, and the series that it belongs to."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from common.errors import UsageError
from common.log.shapes import FieldShape, Source
from infra.ingest.declaring import check_approvals
from infra.ingest.file_shape import FileShape, series_of


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/in/orders-2026-03-01.csv", "file:orders-#-#-#.csv"),
        ("/other/orders-2026-3-2.csv", "file:orders-#-#-#.csv"),
        ("orders.csv", "file:orders.csv"),
    ],
)
def test_files_whose_names_differ_in_numbers_are_a_series(path: str, name: str) -> None:
    assert series_of(Path(path), "order") == Source("order", name)


def test_columns_are_counted_by_type_and_an_empty_text_is_null() -> None:
    shape = FileShape()
    shape.add(1, {"a": "x", "b": "", "c": 1, "d": True, "e": datetime(2026, 1, 1)})  # noqa: DTZ001 # a file's own
    shape.add(2, {"a": None, "b": "", "c": Decimal("1.5"), "d": b"x", "e": object()})
    shape.add(3, {"a": "y"})

    found = shape.observed(Source("order", "file:a.csv"))

    assert (found.shape.records, found.first) == (3, "row 1")
    assert found.shape.fields == {
        "a": FieldShape(3, 3, {"string": 2, "null": 1}),
        "b": FieldShape(3, 2, {"null": 2}),
        "c": FieldShape(3, 2, {"number": 2}),
        "d": FieldShape(3, 2, {"boolean": 1, "bytes": 1}),
        "e": FieldShape(3, 2, {"date": 1, "object": 1}),
    }
    assert found.examples["d:bytes"] == "row 2"


def test_an_approval_is_of_the_files_own_series() -> None:
    source = Source("order", "file:orders-#.csv")

    check_approvals(["removed:order.note@file:orders-#.csv"], source)
    with pytest.raises(UsageError, match=r"removed:order\.COLUMN@file:orders-#\.csv"):
        check_approvals(["removed:order.note@file:orders.csv"], source)
