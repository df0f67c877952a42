"""Files as people export them: generated CSV and Parquet files, and what must be read from them.

`INGEST_EXAMPLES=10000 pytest tests/unit/infra/test_ingest_generated.py` reads more of them.
"""

import csv
import gzip
import io
import os
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from common.errors import UsageError
from infra.ingest.opening import open_source
from infra.ingest.rows import RECOGNISED, Reading, Row, Source

EXAMPLES: Final = int(os.environ.get("INGEST_EXAMPLES", "200"))
DELIMITERS: Final = (",", ";", "\t", "|")
LINE_ENDS: Final = ("\n", "\r\n", "\r")
ENCODINGS: Final = ("utf-8", "utf-8-sig", "utf-16", "utf-32")
PACKINGS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "": lambda content: content,
    ".gz": gzip.compress,
    ".zst": lambda content: pa.Codec("zstd").compress(content, asbytes=True),
}
_PLACEHOLDER: Final = 12_345_678
_JULIAN_EPOCH: Final = 2_440_588
"""1970-01-01 in the days that INT96 counts."""
SIMPLE_COLUMNS: Final = ("order_id", "customer_id", "order_date", "total_amount", "status", "note")


@dataclass(frozen=True)
class Written:
    """A file's name and content, how it is to be read, and what was written."""

    name: str
    content: bytes
    reading: Reading
    columns: tuple[str, ...]
    rows: list[list[str]]


@dataclass(frozen=True)
class Damaged:
    """A CSV file of simple rows, some of which (by number) have a wrong quote."""

    text: str
    rows: list[list[str]]
    damaged: frozenset[int]


def opened(folder: Path, name: str, content: bytes, reading: Reading = RECOGNISED) -> Source:
    """Writes the file and opens it by its name."""
    path = folder / name
    path.write_bytes(content)
    return open_source(path, None, reading)


def read(folder: Path, name: str, content: bytes | str, reading: Reading = RECOGNISED) -> list[Row]:
    """Writes the file and returns its rows."""
    source = opened(folder, name, content.encode() if isinstance(content, str) else content, reading)
    source.columns(frozenset())
    return list(source.rows())


def until_it_breaks(source: Source) -> tuple[list[Row], UsageError | None]:
    """Returns the rows up to the error that reading ends with, and that error."""
    rows: list[Row] = []
    try:
        source.columns(frozenset())
        rows.extend(source.rows())
    except UsageError as error:
        return rows, error
    return rows, None


def write_int96(path: Path, times: Sequence[tuple[int, int]]) -> None:
    """Writes rows `n`, from 0, with times `x` of the type INT96: days since 1970-01-01, nanoseconds of the day.

    Arrow writes only those that fit into nanoseconds, so that others must be put into the file afterwards.
    """
    plain: dict[str, Any] = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    count = len(times)
    table = pa.table({"n": range(count), "x": pa.array([_PLACEHOLDER] * count, pa.timestamp("us"))})
    pq.write_table(table, path, use_deprecated_int96_timestamps=True, **plain)
    written = struct.pack("<qi", _PLACEHOLDER * 1000, _JULIAN_EPOCH) * count
    wanted = b"".join(struct.pack("<qi", nanos, _JULIAN_EPOCH + days) for days, nanos in times)
    content = path.read_bytes()
    if content.count(written) != 1:
        raise ValueError("the times are not where they are looked for")
    path.write_bytes(content.replace(written, wanted))


_limits = st.sampled_from((0, -62135596800, 253402300800, 2**63 // 10**6, 2**63 // 10**3, 2**63 // 10**9, 2**63))
_signs = st.sampled_from((1, -1))


def near_limits(per_second: int) -> st.SearchStrategy[int]:
    """Integers of 64 bits, many of them near the years 1 and 10000, or near where a unit's integers wrap around."""
    near = st.builds(lambda limit, sign, off: limit * per_second * sign + off, _limits, _signs, st.integers(-3, 3))
    return st.integers(-(2**63), 2**63 - 1) | near.filter(lambda value: -(2**63) <= value < 2**63)


_cells = st.text(st.sampled_from("aZ1 \"'\\,;\t|\n\r\0é☃😀\u2028\u0085\x0b\x1c\ufeff\u00a0"), max_size=12)
_ids = st.integers(1, 9999).map("o-{}-2024".format)
_days = st.dates().map(str)
_names = st.text(st.sampled_from("abcxyz \"'(),;\t|\n\r☃\u00a0\u200b"), max_size=8)


@st.composite
def csv_files(draw: st.DrawFn) -> Written:
    """Valid CSV files: any delimiter, line ends, encoding, compression, quoting, and values with all of these inside.

    Two columns hold ids and dates, as those of every file of entities do: rows can be told from text by them.
    """
    more = draw(st.lists(_names, min_size=1, max_size=3, unique=True))
    columns = ("order-id", "order-date", *(f"{name}{at}" for at, name in enumerate(more)))
    row = st.tuples(_ids, _days, *[_cells] * len(more)).map(list)
    rows = draw(st.lists(row, max_size=8))
    delimiter = draw(st.sampled_from(DELIMITERS))
    end = st.sampled_from(LINE_ENDS) if draw(st.booleans()) else st.just(draw(st.sampled_from(LINE_ENDS)))
    quoting: Any = draw(st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC)))
    text = ""
    for cells in (columns, *rows):
        line = io.StringIO(newline="")
        csv.writer(line, delimiter=delimiter, quoting=quoting, lineterminator="\r\n").writerow(cells)
        text += line.getvalue()[:-2] + draw(end)
    if draw(st.booleans()):
        text = text.rstrip("\r\n") if not rows or rows[-1][-1] else text
    encoding = draw(st.sampled_from(ENCODINGS))
    packing = draw(st.sampled_from(sorted(PACKINGS)))
    asked = Reading(delimiter=delimiter if draw(st.booleans()) else None)
    return Written(f"orders.csv{packing}", PACKINGS[packing](text.encode(encoding)), asked, columns, rows)


_words = st.sampled_from(("", "mug", "blue mug", "Best", "stand"))
_quoted = st.sampled_from(("", "mug", '"blue, or green"', '"24"" wide"', '""', "don't", '"5"'))
_wrong = st.sampled_from(
    ('"{}', '{}"', '"{}" mug', '""{}""', '"5\\" {}, black"', '"a"b{}', '"{}""', '"""{}', '"{} ", x')
)


@st.composite
def damaged_files(draw: st.DrawFn) -> Damaged:
    """Files of one line a row, in some of which a quote is wrong: never closed, not doubled, or escaped otherwise."""
    count = draw(st.integers(1, 30))
    notes = draw(st.sampled_from((_words, _quoted)))
    damaged: set[int] = set()
    lines = [",".join(SIMPLE_COLUMNS)]
    rows = []
    wrong = draw(st.sets(st.integers(1, count), max_size=6))
    for number in range(1, count + 1):
        amount = draw(st.sampled_from(("1.00", "12.50", "7")))
        cells = [f"o{number}", f"c{number % 7}", f"2026-03-{number:02}", amount, "completed", draw(notes)]
        rows.append(next(csv.reader([",".join(cells)])))
        if number in wrong:
            at = draw(st.integers(0, 5))
            cells[at] = draw(_wrong).format(cells[at].replace('"', ""))
            damaged.add(number)
        lines.append(",".join(cells))
    end = draw(st.sampled_from(LINE_ENDS))
    return Damaged(end.join(lines) + draw(st.sampled_from(("", end))), rows, frozenset(damaged))
