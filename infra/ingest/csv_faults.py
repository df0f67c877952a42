"""Tells rows from the text of a value in the lines that a wrong quote covers.

A quote that is never closed takes in the rows behind it, up to the next quote or the end of the file. The row that
is lost is then only the first line, and the lines behind it look like rows of their own. A value that spans several
lines and has a wrong quote inside is one lost row, all lines of which look like text.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice, product
from typing import Final

_DIGITS: Final = re.compile(r"\d+")
_LETTERS: Final = re.compile(r"[^\W\d_]+")
_LONE_TRIED: Final = 8
"""How many of a line's first values in quotes are tried as the one whose quotes are wrong."""


class Faults:
    """The decisions for rows of `width` cells, which `delimiter` separates."""

    def __init__(self, width: int, delimiter: str) -> None:
        self._width = width
        self._delimiter = delimiter
        mark = re.escape(delimiter)
        end = rf'"(?={mark}|[\r\n]|$)'
        other = rf'[^"\r\n]++|"(?!{mark}|[\r\n]|$)'
        self._opening = re.compile(rf'(?:^|{mark})("+)')
        # Two ways in which careless programs write a cell in quotes: with doubled quotes inside, or as they come.
        self._end = re.compile(end)
        self._doubled = re.compile(rf'"(?:""|{other})*+{end}')
        self._as_it_comes = re.compile(rf'"(?:{other})*+{end}')

    def leaves_open(self, line: str) -> bool:
        """Returns whether a quote that begins a value has no end on the line, not even with quotes inside of it."""
        return self._split(line, self._doubled)[1]

    def hold_rows(self, lines: Sequence[str]) -> bool:
        """Returns whether one of the lines behind the first looks like a row of its own."""
        return any(self.may_begin_row(line, lines[0]) for line in lines[1:])

    def may_begin_row(self, line: str, first: str) -> bool:
        """Returns whether a line behind the line `first` looks like a row of its own, or like the beginning of one.

        It may have one wrong quote, or be akin to the first. A beginning has a value in quotes without an
        end; a quote with nothing behind it is rather the end of a value of several lines.
        """
        if line.count(self._delimiter) + 1 == self._width:
            return True
        for cells, is_open in self._readings(line):
            if len(cells) == self._width or (is_open and len(cells) < self._width and not self._end.match(cells[-1])):
                return True
        return self._akin(line, first)

    def takes_in_rows(self, lines: Sequence[str], cells: Sequence[str]) -> bool:
        """Returns whether a row of several lines, which were read as `cells`, is a row that took in others.

        That happens if a later row has a lone quote, too, which then closes the first. If the number of cells is
        wrong, one further line that looks like a row is enough. If it is right, more than half of the further lines
        must be akin to the first. Text in quotes is not, even if it has delimiters.
        """
        if len(cells) != self._width:
            return self.hold_rows(lines)
        akin = sum(self._akin(line, lines[0]) for line in lines[1:])
        return self._width > 1 and akin > (len(lines) - 1) / 2

    def _readings(self, line: str) -> Iterator[tuple[list[str], bool]]:
        """Yields the cells of the line as careless programs may have meant them."""
        wrong = (found.span(1) for found in islice(self._opening.finditer(line), _LONE_TRIED))
        for text in (line, *(line[:begin] + line[end:] for begin, end in wrong)):
            yield self._split(text, self._doubled)
            if '""' in text:
                yield self._split(text, self._as_it_comes)

    def _akin(self, line: str, first: str) -> bool:
        """Returns whether more than half of the cells, but for the one in quotes, have the shapes of those in `first`.

        One of them must be more than a word: ids, dates and amounts are what rows have and text has not.
        """
        wanted = (self._width - 1) / 2
        if line.count(self._delimiter) + 1 <= wanted:
            return False
        for one, other in product(self._shapes(line), self._shapes(first)):
            same = [shape for shape, expected in zip(one[: self._width], other, strict=False) if shape == expected]
            if len(same) > wanted and any("0" in shape for shape in same):
                return True
        return False

    def _shapes(self, line: str) -> tuple[list[str], ...]:
        """Returns the cells of the line, read without and with quotes, with every number as 0 and every word as a."""
        text = _LETTERS.sub("a", _DIGITS.sub("0", line.rstrip("\r\n")))
        literal = text.split(self._delimiter)
        return (literal, self._split(text, self._doubled)[0]) if '"' in text else (literal,)

    def _split(self, line: str, quoted: "re.Pattern[str]") -> tuple[list[str], bool]:
        """Returns the cells of the line, and whether the last begins with a quote that the line leaves open."""
        cells: list[str] = []
        begin = 0
        while True:
            end = begin
            if line.startswith('"', begin):
                found = quoted.match(line, begin)
                if found is None:
                    return [*cells, line[begin:]], True
                end = found.end()
            end = line.find(self._delimiter, end)
            if end < 0:
                return [*cells, line[begin:]], False
            cells.append(line[begin:end])
            begin = end + 1
