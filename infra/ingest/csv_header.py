"""Recognises what separates the values of a CSV file, from its header."""

import csv
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from infra.ingest.texts import beginning

_NAMES: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_EXCEL_SEPARATOR: Final = re.compile(r'"?sep=([^"\r\n])"?[\r\n]*', re.IGNORECASE)


class Header(NamedTuple):
    """The names of the columns, what separates them, and the lines of the file that come before the first row."""

    names: tuple[str, ...]
    delimiter: str
    lines: int
    recognised: bool
    """Whether the delimiter was recognised, and not asked for."""

    @property
    def separated_by(self) -> str:
        return _NAMES.get(self.delimiter, repr(self.delimiter))


def header_of(lines: Iterator[str], wanted: frozenset[str], delimiter: str | None) -> Header | None:
    """Returns the header of a file that begins with `lines`, None if there is none that can be read.

    If no `delimiter` is asked for, it is the one in Excel's line `sep=;`. Without such a line, it is the first with
    which all `wanted` columns are in the header, or else the one that makes the most columns.
    """
    head = beginning(lines)
    stated = _EXCEL_SEPARATOR.fullmatch(head[0]) if head else None
    skipped = 0 if stated is None else 1
    recognised = delimiter is None
    if delimiter is None and stated is not None:
        delimiter = stated[1]
    found: list[Header] = []
    for candidate in _NAMES if delimiter is None else (delimiter,):
        names, count = _first_row(head[skipped:], candidate)
        if names:
            found.append(Header(names, candidate, skipped + count, recognised))
    complete = (header for header in found if wanted and wanted <= set(header.names))
    return next(complete, max(found, key=lambda header: len(header.names), default=None))


def _first_row(lines: Iterable[str], delimiter: str) -> tuple[tuple[str, ...], int]:
    """Returns the cells of the first row that is not blank, and the lines up to its end. Returns none for no row."""
    reader = csv.reader(lines, strict=True, delimiter=delimiter)
    try:
        names = next((row for row in reader if row), [])
    except csv.Error:
        return (), 0
    return tuple(names), reader.line_num
