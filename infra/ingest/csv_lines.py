"""The lines of a CSV file, which remember those of the current row and can be given back."""

import csv
from collections import deque
from collections.abc import Callable, Iterator

from infra.ingest.texts import MAX_LINE


class RowLines:
    """An iterator of lines. `row` holds those that were read since the row began; `number` counts those in the file.

    `lines` are those behind the first `number` lines of the file.
    """

    def __init__(self, lines: Iterator[str], number: int) -> None:
        self._lines = lines
        self._waiting: deque[str] = deque()
        self._size = 0
        self.row: list[str] = []
        self.number = number

    def __iter__(self) -> "RowLines":
        return self

    def __next__(self) -> str:
        """Returns the next line. Raises csv.Error if the row grows larger than a row may be."""
        line = self._waiting.popleft() if self._waiting else next(self._lines)
        self.number += 1
        self.row.append(line)
        self._size += len(line)
        if self._size > MAX_LINE:
            raise csv.Error("row too large")
        return line

    @property
    def place(self) -> str:
        """Where the lines of the row stand in the file, such as `line 6` or `lines 6 to 13`."""
        first = self.number - len(self.row) + 1
        return f"line {first}" if first == self.number else f"lines {first} to {self.number}"

    def text(self, limit: int) -> str:
        """Returns the row as it stands in the file, without its last line end, and at most `limit` characters."""
        return "".join(self.row).rstrip("\r\n")[:limit]

    def begin_row(self) -> None:
        self.row = []
        self._size = 0

    def give_back(self, kept: int) -> None:
        """Gives all lines of the row back but the first `kept`: they are read again."""
        returned = self.row[kept:]
        self._waiting.extendleft(reversed(returned))
        del self.row[kept:]
        self._size = sum(map(len, self.row))
        self.number -= len(returned)

    def extend_row(self, is_other: Callable[[str], bool]) -> bool:
        """Adds lines up to the one that makes the quotes of the row even, and returns whether there is one.

        If the file ends before, or a line that `is_other` comes before, that belongs to another row: none is added.
        """
        before = len(self.row)
        odd = sum(line.count('"') for line in self.row) % 2 == 1
        while odd:
            try:
                line = next(self)
            except (StopIteration, csv.Error):
                break
            if is_other(line):
                break
            odd = line.count('"') % 2 == 0
        if odd:
            self.give_back(before)
        return not odd
