"""Which reader a file needs, and whether it can be read at all."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from common.errors import UsageError
from infra.ingest.files import PARQUET_MAGIC, CsvSource, JsonLinesSource, Source
from infra.ingest.parquet import ParquetSource

FORMATS: Final[Mapping[str, type[Source]]] = {
    source.format: source for source in (CsvSource, JsonLinesSource, ParquetSource)
}
_SUFFIXES: Final[Mapping[str, str]] = {
    ".csv": "csv",
    ".json": "jsonl",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}


def open_source(path: Path, format_name: str | None) -> Source:
    """The source that `path` is, by its extension unless `format_name` says so. Raises UsageError."""
    start = _first_bytes(path)
    name = format_name or _SUFFIXES.get(path.suffix.lower())
    if name is None:
        rule = f"its extension tells no format; say --format {' | '.join(FORMATS)}"
        raise UsageError("FILE", str(path), rule)
    if not start:
        raise UsageError("FILE", str(path), "the file is empty")
    if (start == PARQUET_MAGIC) is not (name == "parquet"):
        found = "this is a Parquet file" if start == PARQUET_MAGIC else "this is no Parquet file"
        raise UsageError("FILE", str(path), f"read as {name}, but {found}; --format says how to read it")
    return FORMATS[name](path)


def _first_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise UsageError("FILE", str(path), "a folder; name one file")
    if not path.exists():
        raise UsageError("FILE", str(path), "there is no such file")
    if not path.is_file():
        raise UsageError("FILE", str(path), "not a regular file; it is read more than once")
    try:
        with path.open("rb") as file:
            return file.read(len(PARQUET_MAGIC))
    except OSError as error:
        raise UsageError("FILE", str(path), f"cannot be read: {error.strerror}") from error
