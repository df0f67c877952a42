"""Chooses the reader for a file, and checks that the file can be read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from common.errors import UsageError
from infra.ingest import compressed
from infra.ingest.csv_file import CsvSource
from infra.ingest.json_lines import JsonLinesSource
from infra.ingest.parquet import ParquetSource
from infra.ingest.rows import RECOGNISED, Reading, Source
from infra.ingest.signatures import LOOKED_AT, PARQUET, unreadable_because
from infra.ingest.texts import check_encoding

FORMATS: Final[Mapping[str, type[Source]]] = {
    source.format: source for source in (CsvSource, JsonLinesSource, ParquetSource)
}
_SUFFIXES: Final[Mapping[str, str]] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".txt": "csv",
    ".json": "jsonl",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_NOT_DELIMITERS: Final = '"\r\n\0'


def open_source(path: Path, format_name: str | None, reading: Reading = RECOGNISED) -> Source:
    """Returns the source for `path`: by `format_name`, or by the file's extension if that is None.

    A file that is compressed with gzip or zstd has the extension of its content before the last one: `.csv.gz`.
    Raises UsageError if there is no such file, it cannot be read in that format, or `reading` does not fit it.
    """
    packing, start = _beginning(path)
    unreadable = unreadable_because(path, start)
    if unreadable is not None:
        raise UsageError("FILE", str(path), unreadable)
    name = format_name or _SUFFIXES.get(_suffix(path))
    if name is None:
        rule = f"the format is not known by the extension; name it with --format {' | '.join(FORMATS)}"
        raise UsageError("FILE", str(path), rule)
    if not start:
        raise UsageError("FILE", str(path), "the file is empty")
    is_parquet = start.startswith(PARQUET)
    if is_parquet is not (name == "parquet"):
        found = "this is a Parquet file" if is_parquet else "this is no Parquet file"
        raise UsageError("FILE", str(path), f"it would be read as {name}, but {found}; name its format with --format")
    if is_parquet and packing is not None:
        rule = f"a Parquet file is read from several places at once, which {packing} prevents; decompress it first"
        raise UsageError("FILE", str(path), rule)
    return FORMATS[name](path, _checked(reading, FORMATS[name]))


def _checked(reading: Reading, source: type[Source]) -> Reading:
    """Returns the options with a delimiter written `\\t` as the tab that it names. Raises UsageError for wrong ones."""
    delimiter = "\t" if reading.delimiter == "\\t" else reading.delimiter
    for option, value in (("delimiter", delimiter), ("encoding", reading.encoding)):
        if value is not None and option not in source.options:
            rule = f"a file in the format {source.format} has no {option} to choose; leave the option out"
            raise UsageError(f"--{option}", value, rule)
    if delimiter is not None and (len(delimiter) != 1 or delimiter in _NOT_DELIMITERS):
        raise UsageError("--delimiter", delimiter, "one character, and neither a double quote nor a line end")
    if reading.encoding is not None:
        check_encoding(reading.encoding)
    return Reading(delimiter, reading.encoding)


def _suffix(path: Path) -> str:
    """Returns the extension of the content: the last one, or the one before that of a compression."""
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix in compressed.SUFFIXES else suffix


def _beginning(path: Path) -> tuple[str | None, bytes]:
    """Returns the name of the file's compression, and the first bytes of its content."""
    if path.is_dir():
        raise UsageError("FILE", str(path), "this is a folder; name one file")
    if not path.exists():
        raise UsageError("FILE", str(path), "there is no such file")
    if not path.is_file():
        raise UsageError("FILE", str(path), "this is not a regular file, which can be read more than once")
    try:
        with path.open("rb") as file:
            packing = compressed.packing_of(file.read(4))
        with compressed.opened(path) as content:
            return packing, content.read(LOOKED_AT)
    except compressed.BREAKS as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError("FILE", str(path), f"the file cannot be read: {reason}") from error
