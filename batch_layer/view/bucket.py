"""The rows of one bucket of the master, read column by column from its data files. Knows no Spark (R16)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from batch_layer.view.columns import Flags, Texts
from common.algebra.cut import Cut
from common.errors import BatchError

Read = Callable[[str], pa.ChunkedArray]
"""Reads a column of all rows, as it is stored, or dictionary-encoded."""
_FIELD_ID: Final = b"PARQUET:field_id"


class BucketRows:
    """The valid rows below a cut, of all files of a bucket: `batch_layer.view.columns.Rows`."""

    def __init__(self, read: Read, cut: Cut) -> None:
        self._read = read
        self._chosen: pa.Array | None = None
        chosen = self._below(cut) & _flags(pc.is_valid(read("customer_id")))
        self._chosen = None if chosen.all() else pa.array(chosen)

    @classmethod
    def of_files(cls, files: Sequence[pa.NativeFile], fields: Mapping[str, tuple[int, pa.DataType]], cut: Cut) -> Self:
        """Returns the rows of data files; `fields` has each column's field id and type."""
        return cls(_Files(files, fields).column, cut)

    def ints(self, name: str) -> pa.Array:
        """An `int64` array."""
        return _one(self._column(name)).cast(pa.int64())

    def flags(self, name: str) -> Flags:
        """A column of booleans; null counts as False."""
        return _flags(self._column(name).fill_null(False))

    def texts(self, name: str) -> Texts:
        """A column of texts; the values may hold some that no row has."""
        column = self._column(name)
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        encoded = _one(column.unify_dictionaries())
        codes = encoded.indices.fill_null(len(encoded.dictionary)) if encoded.null_count else encoded.indices
        return Texts(codes.to_numpy(zero_copy_only=False).astype(np.intp), encoded.dictionary)

    def _column(self, name: str) -> pa.ChunkedArray:
        column = self._read(name)
        return column if self._chosen is None else column.filter(self._chosen)

    def _below(self, cut: Cut) -> Flags:
        partitions = self.ints("kafka_partition").to_numpy()
        most = int(partitions.max()) if len(partitions) else 0
        ends = np.array([cut[partition] for partition in range(most + 1)], np.int64)
        below: Flags = self.ints("kafka_offset").to_numpy() < ends[partitions]
        return below


class _Files:
    """Data files of one bucket, whose columns are found by Iceberg's field ids: a name may have changed."""

    def __init__(self, files: Sequence[pa.NativeFile], fields: Mapping[str, tuple[int, pa.DataType]]) -> None:
        self._fields = fields
        texts = [name for name, (_, kind) in fields.items() if pa.types.is_string(kind)]
        self._files = [self._read(file, texts) for file in files]

    def column(self, name: str) -> pa.ChunkedArray:
        """Returns the column of all files; null throughout in a file that is older than the column."""
        field_id, kind = self._fields[name]
        chunks: list[pa.Array] = []
        for file in self._files:
            stored = _name_of(file, field_id)
            if stored is None:
                chunks.append(pa.nulls(file.metadata.num_rows, kind))
            else:
                chunks += file.read(columns=[stored], use_threads=False)[stored].chunks
        return _alike(chunks, kind)

    def _read(self, file: pa.NativeFile, texts: Sequence[str]) -> pq.ParquetFile:
        found = pq.ParquetFile(file)
        stored = [_name_of(found, self._fields[name][0]) for name in texts if name != "entity_id"]
        encoded = [name for name in stored if name]
        return pq.ParquetFile(file, metadata=found.metadata, read_dictionary=encoded)  # the footer is read once


def _name_of(file: pq.ParquetFile, field_id: int) -> str | None:
    for field in file.schema_arrow:
        own = (field.metadata or {}).get(_FIELD_ID)
        if own is None:
            raise BatchError(
                f"a data file of the master has no field ids (column {field.name!r}): another tool wrote it"
            )
        if int(own) == field_id:
            return str(field.name)
    return None


def _alike(chunks: Sequence[pa.Array], kind: pa.DataType) -> pa.ChunkedArray:
    """Returns the chunks as one column: all of them dictionaries, or none."""
    encoded = any(pa.types.is_dictionary(chunk.type) for chunk in chunks)
    if not encoded:
        return pa.chunked_array(chunks, kind)
    return pa.chunked_array(
        [chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode() for chunk in chunks],
        pa.dictionary(pa.int32(), kind),
    )


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _flags(column: pa.ChunkedArray) -> Flags:
    found: Flags = _one(column).to_numpy(zero_copy_only=False).astype(bool)
    return found
