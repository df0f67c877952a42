"""Reads JSON Lines files as rows."""

import json
import shlex
from collections.abc import Iterator
from decimal import Decimal
from typing import Final, NoReturn

import msgspec

from common.errors import RejectedRecord
from infra.ingest.rows import MAX_TEXT, Row
from infra.ingest.texts import MAX_LINE, TextSource, beginning

_SPACE: Final = "\r\n\t \ufeff"
_ONE_A_LINE: Final = "a JSON Lines file has one object a line"


class JsonLinesSource(TextSource):
    """One JSON object a line. Decimals are kept as they are written. Of a name that is repeated, the last counts."""

    format = "jsonl"

    def columns(self, wanted: frozenset[str]) -> tuple[str, ...]:
        self.notes.clear()
        self.encoding()
        self._check_shape()
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
        for line in self.lines():
            content = line.strip(_SPACE)
            if content:
                number += 1
                yield _row(number, content, decoder)

    def _check_shape(self) -> None:
        """Raises UsageError if the file is one JSON array, or objects that go over several lines."""
        first, *others = [*filter(None, (line.strip(_SPACE) for line in beginning(self.lines()))), ""]
        if not first.startswith(("[", "{")):
            return
        if first.startswith("["):
            if _is_json(first) and any(others):
                return  # the first of several lines that hold arrays: each of them is rejected
            raise self.refused(f"this is one JSON array; {_ONE_A_LINE}, which {self._command('.[]')} writes")
        if not _is_json(first) and (first == "{" or _is_json("\n".join((first, *others)), beginning=True)):
            raise self.refused(f"this is JSON over several lines; {_ONE_A_LINE}, which {self._command('.')} writes")

    def _command(self, selected: str) -> str:
        lines = self.path.with_suffix(".lines.jsonl").name  # not the file itself, which the shell would empty first
        return f"`jq -c '{selected}' {shlex.quote(self.path.name)} > {shlex.quote(lines)}`"


def _is_json(text: str, *, beginning: bool = False) -> bool:
    """Returns whether the text is JSON, or has JSON as its `beginning`."""
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return False
    return beginning or end == len(text)


def _row(number: int, line: str, decoder: "msgspec.json.Decoder[object]") -> Row:
    try:
        values = decoder.decode(line)
    except (ValueError, ArithmeticError, RecursionError):
        try:
            values = _lenient(line)
        except (ValueError, ArithmeticError, RecursionError) as error:
            text = line[:MAX_TEXT]
            return Row(number, {}, RejectedRecord("row", text, f"one JSON object a line: {_reason(error)}"), text)
    if isinstance(values, dict):
        return Row(number, values)
    return Row(
        number, {}, RejectedRecord("row", values, "a JSON object, with a value for each column"), line[:MAX_TEXT]
    )


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} (character {error.pos + 1})"
    if isinstance(error, RecursionError):
        return "this one is nested too deeply"
    return "an exponent has at most 18 digits" if isinstance(error, ArithmeticError) else str(error)


def _lenient(line: str) -> object:
    """Decodes what msgspec refuses although it is JSON: halves of surrogate pairs, and integers of any length."""
    if len(line) > MAX_LINE:
        raise ValueError("a line has at most 16,777,216 characters")
    return json.loads(line, parse_float=Decimal, parse_int=_integer, parse_constant=_no_number)


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) < 1000 else Decimal(text)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value; null is one")
