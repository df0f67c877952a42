"""The shape of a file: its columns, their types and nulls; and the series of files whose shape is compared with it."""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

from common.log.shapes import NULL, Observed, Source, shape_of

_DIGITS: Final = re.compile(r"\d+")
_MOST_FORMS: Final = 10_000
_TYPES: Final[Mapping[type, str]] = {
    type(None): NULL,
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    Decimal: "number",
    date: "date",
    datetime: "date",
    time: "time",
    timedelta: "time",
    bytes: "bytes",
    dict: "object",
    list: "array",
}
"""Names of types by what formats give. An empty text is null, since an import reads none from it."""


def series_of(path: Path, kind: str) -> Source:
    """Returns the source that a file belongs to: `orders-2026-03-01.csv` and `orders-2026-03-02.csv` are of one.

    Files with the same name but for its numbers, wherever they are, are a series.
    """
    return Source(kind, f"file:{_DIGITS.sub('#', path.name)}")


class FileShape:
    """Counts rows by their form: columns and types. Forms are few, so a row costs one look-up."""

    def __init__(self) -> None:
        self._forms: dict[tuple[tuple[str, ...], tuple[type, ...]], list[int]] = {}
        self._left_out = 0

    def add(self, number: int, values: Mapping[str, object]) -> None:
        """Counts a row. After very many forms, further ones are left out."""
        types = tuple([type(None) if value == "" else type(value) for value in values.values()])
        form = (tuple(values), types)
        known = self._forms.get(form)
        if known is not None:
            known[0] += 1
        elif len(self._forms) < _MOST_FORMS:
            self._forms[form] = [1, number]
        else:
            self._left_out += 1

    def observed(self, source: Source) -> Observed:
        """Returns the shape of the rows so far; positions are rows."""
        records = sum(count for count, _ in self._forms.values())
        types: dict[str, dict[str, int]] = {}
        examples: dict[str, str] = {}
        for name, kind, count, row in self._columns():
            found = types.setdefault(name, {})
            found[kind] = found.get(kind, 0) + count
            examples.setdefault(f"{name}:{kind}", f"row {row:,}")
        first = min((row for _, row in self._forms.values()), default=1)
        return Observed(source, shape_of(records, types), f"row {first:,}", examples)

    def _columns(self) -> Iterator[tuple[str, str, int, int]]:
        for (names, types), (count, row) in self._forms.items():
            for name, of in zip(names, types, strict=True):
                yield name, _TYPES.get(of, of.__name__), count, row
