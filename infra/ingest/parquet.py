"""Reads Parquet files as rows. A float becomes its shortest decimal, a time with a zone becomes UTC."""

from collections.abc import Iterator
from datetime import UTC
from decimal import Decimal
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from common.algebra.dates import datetime_of
from infra.ingest.rows import Row, Source

MAGIC: Final = b"PAR1"
"""The first bytes of every Parquet file."""
_ROWS_AT_ONCE: Final = 10_000
_EXACT_FLOAT: Final = Decimal(2**53)


class ParquetSource(Source):
    """A Parquet file. Its columns are those of its schema; `total` and `done` count rows."""

    format = "parquet"

    def columns(self, wanted: frozenset[str]) -> tuple[str, ...]:
        with self._opened() as file:
            names: list[str] = file.schema_arrow.names
            self.total = file.metadata.num_rows
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise self.refused(f"a file names each column once; {twice!r} stands twice")
        return tuple(names)

    def rows(self) -> Iterator[Row]:
        number = 0
        with self._opened() as file:
            try:
                for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
                    names = batch.schema.names
                    for values in zip(*map(_python, batch.columns), strict=True):
                        number += 1
                        yield Row(number, dict(zip(names, values, strict=True)))
                    self.done = number
            except (pa.ArrowException, OSError) as error:
                raise self.refused(f"it must be a whole Parquet file; row {number} was the last: {error}") from error

    def _opened(self) -> pq.ParquetFile:
        try:
            return pq.ParquetFile(self.path)
        except (pa.ArrowException, OSError) as error:
            raise self.refused(f"it must be a Parquet file: {error}") from error


def _python(column: pa.Array) -> list[object]:
    """Returns the column's values as Python objects, each one exact."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _python(column.dictionary_decode())
    if pa.types.is_floating(kind):
        wide = column.cast(pa.float32()) if pa.types.is_float16(kind) else column
        return [_number(text) for text in pc.cast(wide, pa.string()).to_pylist()]
    if pa.types.is_timestamp(kind):
        micros = column.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.int64()).to_pylist()
        return [None if value is None else _moment(value, aware=kind.tz is not None) for value in micros]
    try:
        values: list[object] = column.to_pylist()
    except (ValueError, OverflowError):  # a date that Python cannot hold: validation rejects its text
        values = pc.cast(column, pa.string()).to_pylist()
    return values


def _number(text: str | None) -> Decimal | float | None:
    """Returns a float's shortest decimal, None for NaN. A float that is too large to be exact stays a float."""
    if text is None or text == "nan":
        return None
    number = Decimal(text)
    # `values.text_of` rejects such a float, if its column is used at all.
    return float(number) if not number.is_finite() or abs(number) >= _EXACT_FLOAT else number


def _moment(micros: int, *, aware: bool) -> object:
    try:
        when = datetime_of(micros)
    except OverflowError:
        return str(micros)  # a time that Python cannot hold: validation rejects it
    return when.astimezone(UTC) if aware else when.replace(tzinfo=None)
