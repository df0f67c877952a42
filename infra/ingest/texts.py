"""The lines of a text file, whatever its encoding, line ends and compression."""

import codecs
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TextIO

from common.errors import UsageError
from infra.ingest.compressed import BREAKS, opened, packing_of
from infra.ingest.rows import BrokenSource, Source

MAX_LINE: Final = 1 << 24
"""Of a longer line, only the first `MAX_LINE + 1` characters are kept: readers reject it."""
BEGINNING: Final = 1 << 20
"""The characters in which a file shows what it is, such as its header."""
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # it begins as that of UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MARK: Final = "\ufeff"


def check_encoding(name: str) -> None:
    """Raises UsageError unless Python has a text encoding of that name."""
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=name).read()
    except (LookupError, ValueError):  # a name with a zero byte is a ValueError, and so is the encoding `undefined`
        rule = "a text encoding that Python knows, such as utf-8, cp1252, latin-1 or utf-16"
        raise UsageError("--encoding", name, rule) from None


def beginning(lines: Iterator[str]) -> list[str]:
    """Returns the first lines, up to the one with which they have `BEGINNING` characters, or to where they break off.

    Raises BrokenSource if that is the first line.
    """
    found: list[str] = []
    size = 0
    try:
        for line in lines:
            found.append(line)
            size += len(line)
            if size >= BEGINNING:
                break
    except BrokenSource:
        if not found:
            raise
    return found


class TextSource(Source):
    """A source that is read line by line.

    What is not valid in the encoding becomes surrogates: the values that hold them are rejected if they are used.
    """

    options = frozenset({"encoding"})

    def lines(self) -> Iterator[str]:
        """Yields the lines with their ends: LF, CRLF or CR. Raises BrokenSource where the file breaks off."""
        self.done = 0
        number = 0
        try:
            with self._text() as text:
                for line in _bounded(text):
                    number += 1
                    yield line if number > 1 else line.removeprefix(_MARK)
        except UnicodeError as error:
            rule = f"the file must be whole; it breaks off after line {number}: {error}"
            raise self.broken(rule) from error
        except BREAKS as error:
            rule = f"the file must be whole; it cannot be read behind line {number}: {error}"
            raise self.broken(rule) from error

    def encoding(self) -> str:
        """Returns the encoding: the one that was asked for, or that a byte order mark names, or else UTF-8.

        Adds a note if the file's first bytes decided it. Raises UsageError if they contradict what was asked for.
        """
        with self.path.open("rb") as file:
            packing = packing_of(file.read(4))
        marked = self._marked()
        asked = self.reading.encoding
        if packing is not None:
            self.notes.append(f"Decompressed with {packing}, which the file's first bytes name.")
        if marked is None:
            return asked or "utf-8"
        if asked is not None and not codecs.lookup(asked).name.startswith(marked):
            rule = f"the file begins with a byte order mark of {marked.upper()}; leave --encoding out"
            raise UsageError("--encoding", asked, rule)
        if marked != "utf-8":
            self.notes.append(f"Read as {marked.upper()}, which the file's first bytes name.")
        return marked

    def _marked(self) -> str | None:
        with opened(self.path) as file:
            start = file.read(4)
        return next((name for mark, name in _MARKS if start.startswith(mark)), None)

    @contextmanager
    def _text(self) -> Iterator[TextIO]:
        def read(done: int) -> None:
            self.done = done

        encoding = self._marked() or self.reading.encoding or "utf-8"
        wide = codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))
        errors = "surrogatepass" if wide else "surrogateescape"
        with opened(self.path, read) as file, io.TextIOWrapper(file, encoding, errors, newline="") as text:
            yield text


def _bounded(text: TextIO) -> Iterator[str]:
    while line := text.readline(MAX_LINE + 1):
        yield line
        while len(line) > MAX_LINE and line[-1] not in "\r\n":
            line = text.readline(MAX_LINE + 1)
            if not line:
                return
