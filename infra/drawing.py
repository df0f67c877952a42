"""Draws the commands' tables: fitted to a terminal; for anything else plain, with each row whole on one line."""

import io
import itertools
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

Cell = str | Text
"""A cell. The style of a `Text` is shown on a terminal only."""
Row = Sequence[Cell]
PAGE: Final = 500
"""Rows that are drawn at once."""
GAP: Final = "  "
NARROW: Final = 20
"""The fewest characters that are left to a last column that is folded alone."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of at least `width` characters. If no column has a heading, the table has no head."""

    heading: str = ""
    right: bool = False
    width: int = 0


def draw(columns: Sequence[Column], rows: Iterable[Row], *, page: int = PAGE) -> None:
    """Prints the table on the standard output, each `page` of its rows as soon as it is there."""
    for line in drawn(columns, rows, width=terminal_width(), page=page):
        click.echo(line)


def terminal_width() -> int | None:
    """Returns the characters in a line of the terminal, None if the standard output is not a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def drawn(
    columns: Sequence[Column], rows: Iterable[Row], *, width: int | None = None, page: int = PAGE
) -> Iterator[str]:
    """Yields the table's lines. Cells are folded if `width` is too narrow for them; with None no cell is folded.

    Without rows there are no lines. A column may grow from one page to the next, and never shrinks.
    """
    waiting = iter(rows)
    widths = [column.width for column in columns]
    headings = [column.heading for column in columns]
    heads: list[Row] = [headings] if any(headings) else []
    while taken := list(itertools.islice(waiting, page)):
        for row in (*heads, *taken):
            widths = [max(least, cell_len(_plain(cell))) for least, cell in zip(widths, row, strict=True)]
        if width is None:
            yield from (_line(columns, widths, row) for row in (*heads, *taken))
        else:
            yield from _folded(columns, widths, taken, width, with_head=bool(heads))
        heads = []


def _line(columns: Sequence[Column], widths: Sequence[int], row: Row) -> str:
    """Returns a row as one line, without a style."""
    # Rich would take half a millisecond for each row, which is long for a long list in a pipe.
    cells = []
    for column, width, cell in zip(columns, widths, row, strict=True):
        text = _plain(cell)
        gap = " " * (width - cell_len(text))
        cells.append(gap + text if column.right else text + gap)
    return GAP.join(cells).rstrip()


def _plain(cell: Cell) -> str:
    return " ".join(str(cell).splitlines())


def _folded(
    columns: Sequence[Column], widths: Sequence[int], rows: Iterable[Row], width: int, *, with_head: bool
) -> Iterator[str]:
    table = Table(box=None, padding=(0, len(GAP), 0, 0), pad_edge=False, show_header=with_head)
    rest = width - sum(widths[:-1]) - len(GAP) * len(columns)
    keep = rest >= min(widths[-1], NARROW)  # then only the last column is folded, and pages stay aligned
    for number, (column, least) in enumerate(zip(columns, widths, strict=True)):
        table.add_column(
            column.heading,
            justify="right" if column.right else "left",
            overflow="fold",
            min_width=least if keep and number < len(columns) - 1 else None,
        )
    for row in rows:
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    console = Console(file=io.StringIO(), force_terminal=True, width=width, highlight=False)
    with console.capture() as captured:
        console.print(table)
    yield from (line.rstrip() for line in captured.get().splitlines())
