"""Reads CSV files as rows, and loses no row behind one whose quotes are wrong."""

import csv
from collections.abc import Iterator
from itertools import islice
from typing import Final

from common.errors import RejectedRecord
from infra.ingest.csv_faults import Faults
from infra.ingest.csv_header import Header, header_of
from infra.ingest.csv_lines import RowLines
from infra.ingest.rows import MAX_TEXT, Row
from infra.ingest.texts import TextSource

MAX_CELL: Final = 1 << 20
"""A longer value in a CSV file, in characters, is an error of its row."""
WIDTH: Final = "one value for each column of the header"
QUOTES: Final = "a value that begins with a quote ends with one, and a quote inside of it is doubled"
OPEN_QUOTE: Final = "a quote that begins a value is closed before its row ends"
"""The rule that a row breaks if the quote goes on over the rows behind it; the lines are those that it covers."""
_ENDED: Final = "unexpected end of data"  # as the csv module says it
SIZE: Final = "a value has at most 1,048,576 characters, and a row at most 16 times as many"


class CsvSource(TextSource):
    """Values, separated by one character, with a header. Every value is a text; an empty one counts as missing.

    Every row of the file is yielded once, as values or with an error, whatever quotes are wrong in the rows before.
    """

    format = "csv"
    options = frozenset({"delimiter", "encoding"})
    _header: Header | None = None

    def columns(self, wanted: frozenset[str]) -> tuple[str, ...]:
        self._header = self._read_header(wanted)
        return self._header.names

    def _read_header(self, wanted: frozenset[str]) -> Header:
        self.notes.clear()
        encoding = self.encoding()
        _limit_cells()
        header = header_of(self.lines(), wanted, self.reading.delimiter)
        if header is None:
            raise self.refused("a CSV file begins with a header that names its columns, and this header cannot be read")
        self._check(header.names, encoding)
        if header.recognised and header.delimiter != ",":
            self.notes.append(f"Read as values separated by {header.separated_by}.")
        return header._replace(names=self.named_once(header.names))

    def _check(self, names: tuple[str, ...], encoding: str) -> None:
        """Raises UsageError for a header that shows that the file is not what it would be read as."""
        text = "".join(names)
        if "\0" in text:
            rule = "the header holds zero bytes; a file in UTF-16 without a byte order mark needs --encoding utf-16-le"
            raise self.refused(f"{rule} (or utf-16-be)")
        if text.lstrip().startswith(("{", "[")):
            raise self.refused("this is JSON, not CSV; read JSON Lines with --format jsonl")
        try:
            text.encode()
        except UnicodeEncodeError:
            rule = f"the header is not valid in {encoding.upper()}; name the file's encoding, as --encoding cp1252 does"
            raise self.refused(rule) from None

    def rows(self) -> Iterator[Row]:
        header = self._header or self._read_header(frozenset())
        lines = RowLines(islice(self.lines(), header.lines, None), header.lines)
        _limit_cells()
        reader = csv.reader(lines, strict=True, delimiter=header.delimiter)
        faults = Faults(len(header.names), header.delimiter)
        number = 0
        while True:
            lines.begin_row()
            number += 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield _broken_row(number, lines, faults, str(error))
                continue
            if not cells:  # a blank line is not a row
                number -= 1
            elif len(lines.row) > 1 and faults.takes_in_rows(lines.row, cells):
                place = lines.place
                lines.give_back(kept=1)
                yield _rejected(number, lines, OPEN_QUOTE, place)
            elif len(cells) == len(header.names):
                yield Row(number, dict(zip(header.names, cells, strict=True)))
            else:
                values = dict(zip(header.names, cells, strict=False))
                yield Row(number, values, RejectedRecord("row", cells, WIDTH), lines.text(MAX_TEXT))


def _limit_cells() -> None:
    csv.field_size_limit(MAX_CELL)  # Python keeps it for the whole process


def _broken_row(number: int, lines: RowLines, faults: Faults, error: str) -> Row:
    """Returns the row that cannot be read, and gives back the lines behind it that are not lost with it."""
    place = lines.place
    reached_on = len(lines.row) > 1
    first = lines.row[0]
    is_text = faults.leaves_open(first) and not faults.hold_rows(lines.row)
    if is_text and lines.extend_row(lambda line: faults.may_begin_row(line, first)):
        place = lines.place
        reached_on = False
    else:
        lines.give_back(kept=1)
    if reached_on or error == _ENDED:
        return _rejected(number, lines, OPEN_QUOTE, place)
    return _rejected(number, lines, SIZE if "large" in error else QUOTES, place)


def _rejected(number: int, lines: RowLines, rule: str, place: str) -> Row:
    text = lines.text(MAX_TEXT)
    return Row(number, {}, RejectedRecord("row", text, f"{rule} ({place})"), text)
