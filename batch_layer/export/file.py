"""One file of a day's rows, for who wants no warehouse: Parquet or CSV, in the order of customer ids."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from pyspark.sql import DataFrame

from batch_layer.export import columns
from batch_layer.export.presented import presented, states_of
from batch_layer.job import Job
from batch_layer.session import spark_errors
from common.algebra.pointer import Published
from common.errors import BatchError, UsageError

PACKED: Final = "rows binary"
"""Rows on their way to the driver: a stream of Arrow for each batch."""


class Format(StrEnum):
    """What a file holds: Parquet has the columns' types, CSV a line of names and then each row as text."""

    PARQUET = "parquet"
    CSV = "csv"


def check_target(path: Path, *, force: bool) -> None:
    """Raises UsageError if no file can be written at `path`, or if one is there and not `force`."""
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError("FILE", str(path), "a file in a folder that exists")
    if path.exists() and not force:
        raise UsageError("FILE", str(path), "a file that does not exist yet; --force replaces one")


def write(job: Job, batch: Published, as_of: date, path: Path, form: Format, *, force: bool) -> int:
    """Writes the customers of the batch as of a day into the file, and returns how many there are.

    The file appears whole, or not at all. Equal knowledge gives equal rows in the same order: by the bytes of the
    customer id in UTF-8. The driver holds one batch of rows at a time. Raises UsageError if the file exists and not
    `force`, and BatchError if it cannot be written.
    """
    check_target(path, force=force)
    rows = 0
    try:
        with whole(path, force=force) as file, _writer(file, form) as writer:
            for batch_of_rows in _sorted_rows(job, batch, as_of):
                writer.write_batch(batch_of_rows)
                rows += batch_of_rows.num_rows
    except OSError as error:
        raise BatchError(f"{path} cannot be written: {error.strerror or error}") from error
    return rows


def _sorted_rows(job: Job, batch: Published, as_of: date) -> Iterator[pa.RecordBatch]:
    # The states are sorted, and not the rows: Spark computes what it sorts twice, once to see how it is spread.
    rows = presented(states_of(job, batch).orderBy("customer_id"), batch, [as_of])
    with spark_errors(f"exporting {as_of}"):
        yield from arrow_batches(rows)


def arrow_batches(rows: DataFrame) -> Iterator[pa.RecordBatch]:
    """Yields the rows in Arrow, in their order; the driver holds one batch at a time."""
    for row in rows.mapInArrow(_packed, PACKED).toLocalIterator():
        yield from pa.ipc.open_stream(bytes(row["rows"]))


def _packed(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
        yield pa.RecordBatch.from_pydict({"rows": [sink.getvalue().to_pybytes()]})


@contextmanager
def whole(path: Path, *, force: bool) -> Iterator[IO[bytes]]:
    """A hidden file beside `path`, which replaces `path` at the end; after an error it is gone, and `path` stays."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        check_target(path, force=force)
        partial.replace(path)
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()


def _writer(file: IO[bytes], form: Format) -> Any:
    open_: Callable[..., Any] = pq.ParquetWriter if form is Format.PARQUET else pa_csv.CSVWriter
    return open_(file, columns.SCHEMA)
