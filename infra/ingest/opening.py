"""Chooses the reader for a file, and checks that the file can be read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from common.errors import UsageError
from infra.ingest.files import CsvSource, JsonLinesSource
from infra.ingest.parquet import MAGIC, ParquetSource
from infra.ingest.rows import Source

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
    """Returns the source for `path`: by `format_name`, or by the file's extension if that is None.

    Raises UsageError if there is no such file, or it cannot be read in that format.
    """
    start = _first_bytes(path)
    name = format_name or _SUFFIXES.get(path.suffix.lower())
    if name is None:
        rule = f"the format is not known by the extension; name it with --format {' | '.join(FORMATS)}"
        raise UsageError("FILE", str(path), rule)
    if not start:
        raise UsageError("FILE", str(path), "the file is empty")
    if (start == MAGIC) is not (name == "parquet"):
        found = "this is a Parquet file" if start == MAGIC else "this is no Parquet file"
        raise UsageError("FILE", str(path), f"it would be read as {name}, but {found}; name its format with --format")
    return FORMATS[name](path)


def _first_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise UsageError("FILE", str(path), "this is a folder; name one file")
    if not path.exists():
        raise UsageError("FILE", str(path), "there is no such file")
    if not path.is_file():
        raise UsageError("FILE", str(path), "this is not a regular file, which can be read more than once")
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC))
    except OSError as error:
        raise UsageError("FILE", str(path), f"the file cannot be read: {error.strerror}") from error
