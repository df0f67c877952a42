"""The port to input files: rows, read in order and in bounded memory.

A row that cannot be read is returned with an error, and the reading goes on with the next one.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, NamedTuple

from common.errors import RejectedRecord, UsageError


class Row(NamedTuple):
    """A data row: its number, from 1, and its values by column. A row that cannot be read has an `error`."""

    number: int
    values: Mapping[str, object]
    error: RejectedRecord | None = None


class Source(ABC):
    """An input file. `done` of `total` is read so far, both in bytes, or in rows if a format counts them."""

    format: ClassVar[str]

    def __init__(self, path: Path) -> None:
        self.path = path
        self.total = path.stat().st_size
        self.done = 0

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """Yields every data row, from the first."""

    @abstractmethod
    def columns(self, wanted: frozenset[str]) -> tuple[str, ...]:
        """Returns the file's columns.

        A file without a header is read only until it showed all the `wanted` columns: later ones are not returned.
        """

    def refused(self, rule: str) -> UsageError:
        """Returns the error for a file that breaks `rule`."""
        return UsageError("FILE", str(self.path), rule)
