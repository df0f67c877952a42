"""The port to input files: rows, read in order and in bounded memory.

A row that cannot be read is returned with an error, and the reading goes on with the next one.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, NamedTuple

from common.errors import RejectedRecord, UsageError

MAX_TEXT: Final = 2000
"""The most characters that are kept of the text of a row that could not be read."""


class Row(NamedTuple):
    """A data row: its number, from 1, and its values by column.

    A row that cannot be read has an `error`, and in `text` the beginning of what stands in the file.
    """

    number: int
    values: Mapping[str, object]
    error: RejectedRecord | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is to be read, where that is not to be recognised from the file itself."""

    delimiter: str | None = None
    encoding: str | None = None
    """The name of one of Python's text encodings."""


RECOGNISED: Final = Reading()
"""Everything is recognised from the file."""


class BrokenSource(UsageError):
    """A file that breaks off: the rows before the break were yielded, and none behind it can be read."""


class Source(ABC):
    """An input file. `done` of `total` is read so far, both in bytes, or in rows if a format counts them.

    `columns` checks the file, and fills what describes the reading:

    - `notes`: whole sentences about how the file is read.
    - `repeated`: the names of columns that occur more than once. Their second and later occurrences are named
      `Sprint (2)`, `Sprint (3)`.
    - `float_columns`: the columns that hold binary floats.
    """

    format: ClassVar[str]
    options: ClassVar[frozenset[str]] = frozenset()
    """The fields of `Reading` that mean something for this format."""

    def __init__(self, path: Path, reading: Reading = RECOGNISED) -> None:
        self.path = path
        self.reading = reading
        self.total = path.stat().st_size
        self.done = 0
        self.notes: list[str] = []
        self.repeated: frozenset[str] = frozenset()
        self.float_columns: frozenset[str] = frozenset()

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """Yields every data row, from the first. Raises BrokenSource where the file breaks off."""

    @abstractmethod
    def columns(self, wanted: frozenset[str]) -> tuple[str, ...]:
        """Returns the file's columns, each name once. Raises UsageError if the file cannot be read at all.

        A file without a header is read only until it showed all the `wanted` columns: later ones are not returned.
        """

    def refused(self, rule: str) -> UsageError:
        """Returns the error for a file that breaks `rule`."""
        return UsageError("FILE", str(self.path), rule)

    def broken(self, rule: str) -> BrokenSource:
        """Returns the error for a file that breaks `rule` further on, behind rows that could be read."""
        return BrokenSource("FILE", str(self.path), rule)

    def named_once(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Returns `names` with a number behind each repetition, and keeps which ones are `repeated`."""
        counts = Counter(names)
        self.repeated = frozenset(name for name, count in counts.items() if count > 1)
        if not self.repeated:
            return names
        found: dict[str, None] = {}
        for name in names:
            new = name
            number = 1
            while new in found or (number > 1 and new in counts):
                number += 1
                new = f"{name} ({number})"
            found[new] = None
        return tuple(found)
