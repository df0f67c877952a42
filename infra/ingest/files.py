"""Reads CSV and JSON Lines files as rows."""

import csv
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TextIO

import msgspec

from common.errors import RejectedRecord
from infra.ingest.rows import Row, Source

if TYPE_CHECKING:
    import _csv

MAX_CELL_BYTES: Final = 1 << 20
"""A longer value in a CSV file is an error of its row."""


class CsvSource(Source):
    """Comma-separated text in UTF-8 with a header. Every value is a text; an empty one counts as missing."""

    format = "csv"

    def columns(self, wanted: frozenset[str]) -> tuple[str, ...]:
        with self._opened() as text:
            return self._header(_reader(text))

    def rows(self) -> Iterator[Row]:
        with self._opened() as text:
            reader = _reader(text)
            header = self._header(reader)
            number = 0
            while True:
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    number += 1
                    rule = f"a row of CSV: {error} (line {reader.line_num})"
                    yield Row(number, {}, RejectedRecord("row", None, rule))
                    continue
                if cells:  # a blank line is not a row
                    number += 1
                    self.done = text.buffer.tell()
                    yield self._row(number, header, cells)

    def _row(self, number: int, header: tuple[str, ...], cells: list[str]) -> Row:
        values = dict(zip(header, cells, strict=False))
        if len(cells) == len(header):
            return Row(number, values)
        rule = f"{len(header)} values, one for each column of the header; this row has {len(cells)}"
        return Row(number, values, RejectedRecord("row", cells, rule))

    def _opened(self) -> TextIO:
        return self.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")

    def _header(self, reader: Iterator[list[str]]) -> tuple[str, ...]:
        try:
            header = tuple(next(reader))
        except (StopIteration, csv.Error):
            raise self.refused("a CSV file begins with a header that names its columns") from None
        if not all(name.isprintable() for name in header):
            raise self.refused("a CSV file is text in UTF-8; its header is not")
        twice = next((name for name in header if name and header.count(name) > 1), None)
        if twice is not None:
            raise self.refused(f"a header names each column once; {twice!r} stands twice")
        return header


def _reader(text: TextIO) -> "_csv.Reader":
    csv.field_size_limit(MAX_CELL_BYTES)
    return csv.reader(text, strict=True)


class JsonLinesSource(Source):
    """One JSON object a line, in UTF-8. Decimals are kept as they are written."""

    format = "jsonl"

    def columns(self, wanted: frozenset[str]) -> tuple[str, ...]:
        seen: dict[str, None] = {}
        found = False
        for row in self.rows():
            found = found or row.error is None
            seen.update(dict.fromkeys(row.values))
            if found and wanted <= seen.keys():
                break
        if not found:
            raise self.refused("a JSON Lines file holds one JSON object a line; no line here is one")
        return tuple(seen)

    def rows(self) -> Iterator[Row]:
        decoder = msgspec.json.Decoder(float_hook=Decimal)
        number = 0
        self.done = 0
        with self.path.open("rb") as raw:
            for line in raw:
                self.done += len(line)
                content = line.strip(b"\r\n\t \xef\xbb\xbf")
                if content:
                    number += 1
                    yield _json_row(number, content, decoder)


def _json_row(number: int, line: bytes, decoder: "msgspec.json.Decoder[object]") -> Row:
    try:
        values = decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        text = line.decode("utf-8", "backslashreplace")
        return Row(number, {}, RejectedRecord("row", text, f"a JSON object in UTF-8: {error}"))
    if isinstance(values, dict):
        return Row(number, values)
    return Row(number, {}, RejectedRecord("row", values, "a JSON object, with a value for each column"))
