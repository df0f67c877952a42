"""The values of a Parquet column as Python objects, each one exact.

A float becomes its shortest decimal, a time with a zone becomes UTC. What Python cannot hold becomes a text that quotes
it as it stands in the file, such as `253402300800000 milliseconds since 1970-01-01`: validation rejects it if it is
used. Text that is not UTF-8 keeps its other bytes as surrogates.
"""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from common.algebra.dates import MICROS_PER_DAY, date_of, datetime_of

_EXACT_FLOAT: Final = Decimal(2**53)
_UNITS: Final = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_PER_SECOND: Final = {"s": 1, "ms": 1000, "us": 1_000_000, "ns": 1_000_000_000}
_EPOCH: Final = "since 1970-01-01"
_MILLIS_PER_DAY: Final = MICROS_PER_DAY // 1_000


def is_float(kind: pa.DataType) -> bool:
    """Returns whether the values of such a column are binary floats."""
    return bool(pa.types.is_floating(kind.value_type if pa.types.is_dictionary(kind) else kind))


def python_values(column: pa.Array) -> list[object]:
    """Returns the column's values, None for null."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return python_values(column.dictionary_decode())
    if isinstance(kind, pa.BaseExtensionType):
        if kind != pa.uuid():
            return python_values(column.storage)
        return [None if value is None else str(value) for value in column.to_pylist()]
    if pa.types.is_floating(kind):
        wide = column.cast(pa.float32()) if pa.types.is_float16(kind) else column
        return [_number(text) for text in pc.cast(wide, pa.string()).to_pylist()]
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_time(kind) or pa.types.is_duration(kind):
        integers = column.view(pa.int32() if kind.bit_width == 32 else pa.int64()).to_pylist()
        convert = _temporal(kind)
        return [None if value is None else convert(value) for value in integers]
    try:
        values: list[object] = column.to_pylist()
    except (ValueError, OverflowError, pa.ArrowException):
        values = _one_by_one(column)
    return values


def _one_by_one(column: pa.Array) -> list[object]:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        encoded = column.cast(pa.large_binary()).to_pylist()
        return [None if value is None else value.decode("utf-8", "surrogateescape") for value in encoded]
    values: list[object] = []
    for value in column:
        try:
            values.append(value.as_py())
        except (ValueError, OverflowError, pa.ArrowException):
            values.append(f"a value of the type {column.type} that Python cannot hold")
    return values


def _number(text: str | None) -> Decimal | float | None:
    """Returns a float's shortest decimal, None for NaN. A float that is too large to be exact stays a float."""
    if text is None or text == "nan":
        return None
    number = Decimal(text)
    # `values.text_of` rejects such a float, if its column is used at all.
    return float(number) if not number.is_finite() or abs(number) >= _EXACT_FLOAT else number


def _temporal(kind: pa.DataType) -> Callable[[int], object]:
    """Returns the function that makes a time of the integer that a Parquet file holds for it."""
    if pa.types.is_date32(kind):
        return lambda value: _or_quoted(date_of, value, value, f"days {_EPOCH}")
    if pa.types.is_date64(kind):
        return lambda value: _or_quoted(date_of, value // _MILLIS_PER_DAY, value, f"milliseconds {_EPOCH}")
    name = _UNITS[kind.unit]
    micros = _micros(kind.unit)
    if pa.types.is_timestamp(kind):
        moment = _moment if kind.tz is None else datetime_of
        return lambda value: _or_quoted(moment, micros(value), value, f"{name} {_EPOCH}")
    if pa.types.is_time(kind):
        return lambda value: _or_quoted(_clock, micros(value), value, f"{name} since midnight")
    return lambda value: _or_quoted(_duration, micros(value), value, name)


def _or_quoted(make: Callable[[int], object], number: int, value: int, unit: str) -> object:
    """Returns what `make` makes of the number, or the value with its unit if Python cannot hold that."""
    try:
        return make(number)
    except OverflowError:
        return f"{value} {unit}"


def _micros(unit: str) -> Callable[[int], int]:
    """Returns the function that makes microseconds of a count of `unit`: downwards, and without wrapping around."""
    per_second = _PER_SECOND[unit]
    return lambda value: value * 1_000_000 // per_second


def _moment(micros: int) -> datetime:
    return datetime_of(micros).replace(tzinfo=None)


def _duration(micros: int) -> timedelta:
    return timedelta(microseconds=micros)


def _clock(micros: int) -> time:
    if not 0 <= micros < MICROS_PER_DAY:
        raise OverflowError(micros)
    return datetime_of(micros).time()
