"""Whatever file is generated: every row is read or rejected, none is lost, and what is read is what was written."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from common.algebra.dates import micros_of
from infra.ingest.opening import open_source
from tests.support.ingest_files import (
    EXAMPLES,
    Damaged,
    Written,
    csv_files,
    damaged_files,
    near_limits,
    opened,
    read,
    write_int96,
)

GENERATED: Final = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=EXAMPLES <= 200
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@GENERATED
@given(written=csv_files())
def test_every_row_of_a_csv_file_comes_back_as_it_was_written(folder: Path, written: Written) -> None:
    source = opened(folder, written.name, written.content, written.reading)

    assert source.columns(frozenset(written.columns)) == written.columns
    rows = list(source.rows())

    assert [row.error for row in rows] == [None] * len(written.rows)
    assert [list(row.values.values()) for row in rows] == written.rows
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert source.done == source.total


@GENERATED
@given(file=damaged_files())
def test_a_wrong_quote_loses_no_other_row(folder: Path, file: Damaged) -> None:
    rows = read(folder, "orders.csv", file.text)

    assert [row.number for row in rows] == list(range(1, len(file.rows) + 1))
    for row, cells in zip(rows, file.rows, strict=True):
        if row.number not in file.damaged:
            assert (row.error, list(row.values.values())) == (None, cells)
        elif row.error is not None:
            assert row.text


FIRST: Final = -62135596800 * 10**6
LAST: Final = 253402300800 * 10**6 - 1
UNITS: Final = {"ms": (1000, "milliseconds"), "us": (10**6, "microseconds"), "ns": (10**9, "nanoseconds")}


@GENERATED
@given(data=st.data(), unit=st.sampled_from(sorted(UNITS)), zone=st.sampled_from((None, "UTC", "Asia/Tokyo")))
def test_every_time_of_a_parquet_file_is_itself_or_quoted(
    folder: Path, data: st.DataObject, unit: str, zone: str | None
) -> None:
    per_second, name = UNITS[unit]
    written = data.draw(st.lists(near_limits(per_second), min_size=1, max_size=5))
    path = folder / "times.parquet"
    pq.write_table(pa.table({"x": pa.array(written, pa.int64()).view(pa.timestamp(unit, zone))}), path)

    found = [row.values["x"] for row in open_source(path, None).rows()]

    for value, number in zip(found, written, strict=True):
        assert_same(value, number * 10**6 // per_second, f"{number} {name} since 1970-01-01")


@GENERATED
@given(days=st.lists(st.integers(-(2**31), 2**31 - 1) | near_limits(1).map(lambda seconds: seconds // 86_400)))
def test_every_date_of_a_parquet_file_is_itself_or_quoted(folder: Path, days: list[int]) -> None:
    days = [day for day in days if -(2**31) <= day < 2**31]
    path = folder / "dates.parquet"
    pq.write_table(pa.table({"x": pa.array(days, pa.int32()).view(pa.date32())}), path)

    found = [row.values["x"] for row in open_source(path, None).rows()]

    for value, day in zip(found, days, strict=True):
        if FIRST <= day * 86_400 * 10**6 <= LAST:
            assert isinstance(value, date)
            assert (value - date(1970, 1, 1)).days == day
        else:
            assert value == f"{day} days since 1970-01-01"


# Julian days from 1: Arrow reads the day 0, in the year -4712, as 1970-01-01, and cannot tell it from that.
_far_days = st.sampled_from((-719_163, 2_932_896, -106_751_991, 106_751_991, 213_503_982, 10**9, 2**31 - 2_440_600))
_days = st.integers(-2_440_587, 10**7) | st.builds(lambda day, off: day + off, _far_days, st.integers(-9, 9))


@GENERATED
@given(times=st.lists(st.tuples(_days, st.integers(0, 86_400 * 10**9 - 1)), min_size=1, max_size=5))
def test_every_time_of_spark_is_itself_or_quoted(folder: Path, times: list[tuple[int, int]]) -> None:
    times = [(day, nanos) for day, nanos in times if 0 < day + 2_440_588 < 2**31]
    assume(times)
    path = folder / "spark.parquet"
    write_int96(path, times)

    found = [row.values["x"] for row in open_source(path, None).rows()]

    for value, (day, nanos) in zip(found, times, strict=True):
        micros = day * 86_400 * 10**6 + nanos // 1000
        wraps = not -(2**63) <= micros < 2**63
        quoted = f"{micros // 10**6} seconds" if wraps else f"{micros} microseconds"
        assert_same(value, micros, f"{quoted} since 1970-01-01")


def assert_same(value: object, micros: int, quoted: str) -> None:
    """Asserts that `value` is the time of `micros`, or the text `quoted` if Python has no such time."""
    if FIRST <= micros <= LAST:
        assert isinstance(value, datetime)
        assert micros_of(value.replace(tzinfo=UTC)) == micros
    else:
        assert value == quoted
