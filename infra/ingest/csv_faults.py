"""Tells rows from the text of a value in the lines that a wrong quote covers.

A quote that is never closed takes in the rows behind it, up to the next quote or the end of the file. The row that
is lost is then only the first line, and the lines behind it look like rows of their own. A value that spans several
lines and has a wrong quote inside is one lost row, all lines of which look like text.
"""

import re
from collections.abc import Sequence
from itertools import islice
from typing import Final

_DIGITS: Final = re.compile(r"\d+")
_LETTERS: Final = re.compile(r"[^\W\d_]+")
_LONE_TRIED: Final = 8
"""How many of a line's first quotes are tried as the lone one."""


class Faults:
    """The decisions for rows of `width` cells, which `delimiter` separates."""

    def __init__(self, width: int, delimiter: str) -> None:
        self._width = width
        self._delimiter = delimiter
        mark = re.escape(delimiter)
        # A quoted cell as careless programs write it: a quote inside is one that no delimiter follows.
        self._opening = re.compile(rf'(?:^|{mark})"')
        self._quoted = re.compile(rf'"(?:[^"\r\n]++|""|"(?!{mark}|[\r\n]|$))*+"(?={mark}|[\r\n]|$)')

    def leaves_open(self, line: str) -> bool:
        """Returns whether a quote that begins a value has no end on the line, not even with quotes inside of it."""
        return self._cells(line)[1]

    def may_begin_row(self, line: str) -> bool:
        """Returns whether the line looks like a row of its own, or like the beginning of one.

        One quote may be wrong in it. A beginning is a line with a value in quotes that has no end on the line.
        """
        if self._literal_width(line) == self._width:
            return True
        cells, is_open = self._cells(line)
        if cells == self._width or (is_open and cells < self._width):
            return True
        lone = (found.end() - 1 for found in islice(self._opening.finditer(line), _LONE_TRIED))
        return any(self._cells(line[:at] + line[at + 1 :]) == (self._width, False) for at in lone)

    def takes_in_rows(self, lines: Sequence[str], cells: Sequence[str]) -> bool:
        """Returns whether a row of several lines, which were read as `cells`, is a row that took in others.

        That happens if a later row has a lone quote, too, which then closes the first. If the number of cells is
        wrong, one further line that looks like a row is enough.

        If it is right, more than half of the further lines must look like rows that are akin to the first line: with
        as many cells, and more than half of them of the same shape. Text in quotes is not, even if it has delimiters.
        """
        if len(cells) != self._width:
            return any(map(self.may_begin_row, lines[1:]))
        first = lines[0]
        if self._width < 2 or self._literal_width(first) != self._width:
            return False
        opened = self._cells(first)[0] - 1
        shapes = self._shapes(first)
        akin = sum(self._akin(self._shapes(line), shapes, opened) for line in lines[1:])
        return akin > (len(lines) - 1) / 2

    def _akin(self, shapes: list[str], first: list[str], opened: int) -> bool:
        if len(shapes) != len(first):
            return False
        same = [shapes[at] for at in range(len(first)) if at != opened and shapes[at] == first[at]]
        return len(same) > (len(first) - 1) / 2 and any("0" in shape for shape in same)

    def _shapes(self, line: str) -> list[str]:
        """Returns the cells of the line with every number as 0 and every word as a."""
        return _LETTERS.sub("a", _DIGITS.sub("0", line.rstrip("\r\n"))).split(self._delimiter)

    def _literal_width(self, line: str) -> int:
        return line.count(self._delimiter) + 1

    def _cells(self, line: str) -> tuple[int, bool]:
        """Returns how many cells the line has, up to the quote that it leaves open, and whether it leaves one open."""
        cells = 1
        position = 0
        while True:
            if line.startswith('"', position):
                quoted = self._quoted.match(line, position)
                if quoted is None:
                    return cells, True
                position = quoted.end()
            delimiter = line.find(self._delimiter, position)
            if delimiter < 0:
                return cells, False
            cells += 1
            position = delimiter + 1
