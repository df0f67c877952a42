"""Reads Parquet files as rows."""

from collections.abc import Iterator, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from infra.ingest.parquet_values import is_float, python_values
from infra.ingest.rows import Row, Source

_ROWS_AT_ONCE: Final = 10_000
_BREAKS: Final = (pa.ArrowException, OSError)


class ParquetSource(Source):
    """A Parquet file. Its columns are those of its schema; `total` and `done` count rows."""

    format = "parquet"

    def columns(self, wanted: frozenset[str]) -> tuple[str, ...]:
        with self._opened() as file:
            schema = file.schema_arrow
            self.total = file.metadata.num_rows
        names = self.named_once(tuple(schema.names))
        self.float_columns = frozenset(name for name, kind in zip(names, schema.types, strict=True) if is_float(kind))
        return names

    def rows(self) -> Iterator[Row]:
        number = 0
        self.done = 0
        with self._opened() as file, self._opened(unit="s") as coarse:
            names = self.named_once(tuple(file.schema_arrow.names))
            old_times = _int96_columns(file)
            for group in range(file.num_row_groups):  # one by one: a damaged group leaves those before it whole
                try:
                    for columns in _batches(file, coarse, group, old_times):
                        for values in zip(*columns, strict=True):
                            number += 1
                            yield Row(number, dict(zip(names, values, strict=True)))
                        self.done = number
                except _BREAKS as error:
                    rule = f"it must be a whole Parquet file; row {number} was the last: {_on_one_line(error)}"
                    raise self.broken(rule) from error

    def _opened(self, unit: str = "us") -> pq.ParquetFile:
        """Opens the file. Times of the old type INT96, whose range is larger than that of any other, are in `unit`."""
        try:
            return pq.ParquetFile(self.path, coerce_int96_timestamp_unit=unit)
        except _BREAKS as error:
            raise self.refused(f"it must be a Parquet file: {_on_one_line(error)}") from error


def _on_one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _int96_columns(file: pq.ParquetFile) -> list[str]:
    columns = (file.schema.column(at) for at in range(len(file.schema.names)))
    return [column.path for column in columns if column.physical_type == "INT96" and column.path == column.name]


def _batches(
    file: pq.ParquetFile, coarse: pq.ParquetFile, group: int, old_times: Sequence[str]
) -> Iterator[list[list[object]]]:
    """Yields the columns of a row group, of `_ROWS_AT_ONCE` rows at a time.

    A time of the type INT96 may be too far away for microseconds, in which it would wrap around to another time. In
    seconds none is: where the two do not agree, the seconds are quoted.
    """
    whole = file.iter_batches(_ROWS_AT_ONCE, row_groups=[group])
    if not old_times:
        yield from (list(map(python_values, batch.columns)) for batch in whole)
        return
    seconds = coarse.iter_batches(_ROWS_AT_ONCE, row_groups=[group], columns=list(old_times))
    for batch, second in zip(whole, seconds, strict=True):
        columns = list(map(python_values, batch.columns))
        places = [at for at, name in enumerate(batch.schema.names) if name in old_times]
        for at, far in zip(places, second.columns, strict=True):
            if far.type != batch.column(at).type:  # a column of another type may have the same name
                columns[at] = _unwrapped(columns[at], batch.column(at), far)
        yield columns


def _unwrapped(values: list[object], micros: pa.Array, seconds: pa.Array) -> list[object]:
    """Returns the values of a column, but for those whose microseconds wrapped around: their seconds are quoted."""
    exact = micros.view(pa.int64()).to_pylist()
    wide = seconds.view(pa.int64()).to_pylist()
    return [
        value if near is None or near // 1_000_000 == far else f"{far} seconds since 1970-01-01"
        for value, near, far in zip(values, exact, wide, strict=True)
    ]
