"""Parquet values are exact; what Python cannot hold is quoted as it stands in the file, and never another value."""

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.ingest.opening import open_source
from tests.support.ingest_files import write_int96

NOON = datetime(2024, 3, 15, 12, 0, 0, 123456)  # noqa: DTZ001 # Parquet has times without a zone
Write = Callable[..., list[object]]


@pytest.fixture
def values(tmp_path: Path) -> Write:
    """Writes one column, and returns its values as they are read."""

    def write(column: pa.Array, **options: Any) -> list[object]:
        path = tmp_path / "values.parquet"
        pq.write_table(pa.table({"x": column}), path, **options)
        return [row.values["x"] for row in open_source(path, None).rows()]

    return write


@pytest.mark.parametrize(
    ("kind", "number", "value"),
    [
        (pa.timestamp("s"), 253402300799, datetime(9999, 12, 31, 23, 59, 59)),  # noqa: DTZ001
        (pa.timestamp("s"), 253402300800, "253402300800000 milliseconds since 1970-01-01"),  # as Parquet holds it
        (pa.timestamp("ms"), 253402300800000, "253402300800000 milliseconds since 1970-01-01"),
        (pa.timestamp("ms"), -62135596800001, "-62135596800001 milliseconds since 1970-01-01"),
        (pa.timestamp("us"), 2**63 - 1, "9223372036854775807 microseconds since 1970-01-01"),
        (pa.timestamp("us"), -62135596800000000, datetime(1, 1, 1)),  # noqa: DTZ001
        (pa.timestamp("ns"), 2**63 - 1, datetime(2262, 4, 11, 23, 47, 16, 854775)),  # noqa: DTZ001
        (pa.timestamp("ns"), -1, datetime(1969, 12, 31, 23, 59, 59, 999999)),  # noqa: DTZ001
        (pa.timestamp("ms", "Asia/Tokyo"), 0, datetime(1970, 1, 1, tzinfo=UTC)),
        (pa.timestamp("ms", "Nowhere/Town"), 0, datetime(1970, 1, 1, tzinfo=UTC)),
        (pa.timestamp("ms", "UTC"), 2**60, f"{2**60} milliseconds since 1970-01-01"),
        (pa.date32(), 20000, date(2024, 10, 4)),
        (pa.date32(), 2932897, "2932897 days since 1970-01-01"),
        (pa.date64(), 86_400_000, date(1970, 1, 2)),
        (pa.date64(), 86_400_000 * 3_000_000, "3000000 days since 1970-01-01"),
        (pa.time32("ms"), 1, time(0, 0, 0, 1000)),
        (pa.time64("ns"), 86_399_999_999_999, time(23, 59, 59, 999999)),
        (pa.time64("us"), 86_400_000_000, "86400000000 microseconds since midnight"),
        (pa.duration("ns"), 1500, timedelta(microseconds=1)),
        (pa.duration("s"), 2**62, f"{2**62} seconds"),
    ],
)
def test_times_never_wrap_around(values: Write, kind: pa.DataType, number: int, value: object) -> None:
    column = pa.array([number, None], pa.int64() if kind.bit_width == 64 else pa.int32()).view(kind)

    assert values(column) == [value, None]


@pytest.mark.parametrize(
    ("days", "value"),
    [
        (19797, NOON),
        (2932896, datetime(9999, 12, 31, 12, 0, 0, 123456)),  # noqa: DTZ001
        (2932897, "253402344000123456 microseconds since 1970-01-01"),
        (218079, datetime(2567, 1, 30, 12, 0, 0, 123456)),  # noqa: DTZ001 # in nanoseconds it becomes 1982
        (-719162, datetime(1, 1, 1, 12, 0, 0, 123456)),  # noqa: DTZ001
        (-719163, "-62135639999876544 microseconds since 1970-01-01"),
        (213503982 + 19797, f"{(213503982 + 19797) * 86_400 + 43_200} seconds since 1970-01-01"),  # wraps to 2024
    ],
)
def test_the_times_of_spark_never_wrap_around(tmp_path: Path, days: int, value: object) -> None:
    path = tmp_path / "spark.parquet"
    write_int96(path, [(days, 43_200_123_456_000)])

    assert [row.values for row in open_source(path, None).rows()] == [{"n": 0, "x": value}]


def test_the_times_of_spark_may_have_the_name_of_another_column(tmp_path: Path) -> None:
    path = tmp_path / "spark.parquet"
    columns = [pa.array([1]), pa.array([NOON]), pa.array([{"x": NOON}]), pa.array([NOON])]
    table = pa.Table.from_arrays(columns, names=["x", "x", "y", "a.b"])
    pq.write_table(table, path, use_deprecated_int96_timestamps=True)
    source = open_source(path, None)

    assert source.columns(frozenset()) == ("x", "x (2)", "y", "a.b")
    assert [list(row.values.values()) for row in source.rows()] == [[1, NOON, {"x": NOON}, NOON]]


def test_values_of_every_other_type_are_exact(values: Write) -> None:
    big = Decimal("1234567890" * 6 + ".25")
    key = uuid.uuid4()
    assert values(pa.array([big], pa.decimal256(76, 2))) == [big]
    assert values(pa.array([12.1, None, float("nan")], pa.float32())) == [Decimal("12.1"), None, None]
    assert values(pa.array([1.5], pa.float16())) == [Decimal("1.5")]
    assert values(pa.array([2**64 - 1], pa.uint64())) == [2**64 - 1]
    assert values(pa.nulls(2)) == [None, None]
    assert values(pa.array([True, None])) == [True, None]
    assert values(pa.array([b"ab\xff", None], pa.binary())) == [b"ab\xff", None]
    assert values(pa.array([b"ab"], pa.binary(2))) == [b"ab"]
    assert values(pa.array([b"ab"], pa.binary_view())) == [b"ab"]
    assert values(pa.array([key.bytes], pa.uuid())) == [str(key)]
    assert values(pa.array([{"a": [1]}])) == [{"a": [1]}]
    assert values(pa.array([NOON, None]).dictionary_encode()) == [NOON, None]


def unchecked(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Casts bytes to text, without a check that they are UTF-8."""
    binary = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary(), pa.string_view(): pa.binary_view()}
    return column.cast(binary[kind]).view(kind)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_text_that_is_not_utf_8_keeps_its_bytes_and_breaks_no_other_value(values: Write, kind: pa.DataType) -> None:
    column = pa.array([b"caf\xe9", "é".encode(), None])

    found = values(unchecked(column, kind))

    assert found == ["caf\udce9", "é", None]
    assert values(unchecked(column, pa.string()).dictionary_encode()) == found


def test_a_nested_value_that_python_cannot_hold_is_quoted_alone(values: Write) -> None:
    far = pa.ListArray.from_arrays([0, 1, 2], pa.array([10**9, 1], pa.int32()).view(pa.date32()))

    assert values(far) == ["a value of the type list<element: date32[day]> that Python cannot hold", [date(1970, 1, 2)]]


def test_columns_of_floats_and_repeated_names_are_told(tmp_path: Path) -> None:
    path = tmp_path / "orders.parquet"
    columns = [pa.array([1.5]), pa.array([2]), pa.array(["x"]), pa.array([2.5], pa.float32()).dictionary_encode()]
    pq.write_table(pa.Table.from_arrays(columns, names=["a", "b", "a", "c"]), path)
    source = open_source(path, None)

    assert source.columns(frozenset()) == ("a", "b", "a (2)", "c")
    assert source.repeated == {"a"}
    assert source.float_columns == {"a", "c"}
    assert [row.values for row in source.rows()] == [{"a": Decimal("1.5"), "b": 2, "a (2)": "x", "c": Decimal("2.5")}]
    assert source.done == source.total
