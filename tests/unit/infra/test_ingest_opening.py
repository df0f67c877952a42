"""What a file is, is known by its first bytes: it is read, or named for what it is."""

import gzip
import io
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common.errors import UsageError
from infra.ingest.rows import BrokenSource, Reading
from tests.support.ingest_files import PACKINGS, opened, until_it_breaks

CSV = "order_id,note\n" + "".join(f"o{number},{number * 7919}\n" for number in range(20_000))


def archive(name: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr(name, "<x/>")
    return content.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("orders.xlsx", archive("xl/workbook.xml"), "an Excel workbook .*; save its sheet as CSV"),
        ("orders.csv", archive("xl/workbook.xml"), "an Excel workbook"),
        ("orders.csv", archive("content.xml"), "an OpenDocument file"),
        ("orders.csv", archive("orders.csv"), "a ZIP archive; unpack it"),
        ("orders.csv", b"PK\x03\x04 and no more", "a ZIP archive"),
        ("orders.csv", bytes.fromhex("d0cf11e0a1b11ae1") + b"x", "a workbook of an old Excel"),
        ("orders.csv", b"ORC\n\x0b\x00\x00", "an ORC file"),
        ("orders.csv", b"Obj\x01\x04\x14avro", "an Avro file"),
        ("orders.csv", b"BZh91AY&SY\x00\x01", "compressed with bzip2"),
        ("orders.csv", b"\xef\xbb\xbf<!DOCTYPE html><table>", "HTML or XML"),
        ("orders.csv.gz", gzip.compress(archive("orders.csv")), "a ZIP archive"),
        ("orders.csv.gz", gzip.compress(b"PAR1...."), "this is a Parquet file"),
        ("orders.parquet.gz", gzip.compress(b"PAR1...."), "gzip prevents; decompress it first"),
        ("orders.csv.gz", gzip.compress(b""), "the file is empty"),
        ("orders.csv.gz", gzip.compress(b"order_id")[:12], "the file cannot be read: Compressed file ended"),
        ("orders.gz", gzip.compress(b"order_id\n"), "--format csv | jsonl | parquet"),
    ],
    ids=lambda value: "content" if isinstance(value, bytes) else value,  # the bytes hold the time of day
)
def test_a_file_of_another_kind_is_named_for_what_it_is(tmp_path: Path, name: str, content: bytes, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        opened(tmp_path, name, content)


@pytest.mark.parametrize("name", ["ids.csv", "ids.TXT", "ids.tab", "ids.tsv"])
def test_a_text_is_not_taken_for_another_kind_by_its_first_letters(tmp_path: Path, name: str) -> None:
    for header in ("ORCID,PK", "PK,BZh", "BZh"):
        assert ",".join(opened(tmp_path, name, header.encode()).columns(frozenset())) == header


@pytest.mark.parametrize("packing", [".gz", ".zst"])
def test_a_compressed_file_is_read_and_its_progress_counts_compressed_bytes(tmp_path: Path, packing: str) -> None:
    content = PACKINGS[packing](CSV.encode())
    for name in (f"orders.csv{packing}", "really_compressed.csv"):
        source = opened(tmp_path, name, content)

        assert source.columns(frozenset()) == ("order_id", "note")
        assert len(source.notes) == 1
        assert sum(1 for _ in source.rows()) == 20_000
        assert source.done == source.total == len(content)


@pytest.mark.parametrize("packing", [".gz", ".zst"])
def test_a_compressed_file_that_is_cut_off_yields_the_rows_before_the_cut(tmp_path: Path, packing: str) -> None:
    content = PACKINGS[packing](CSV.encode())

    rows, error = until_it_breaks(opened(tmp_path, f"orders.csv{packing}", content[: len(content) // 2]))

    assert isinstance(error, BrokenSource)
    assert 1000 < len(rows) < 20_000
    assert error.rule.startswith("the file must be whole; it cannot be read behind line ")


def test_a_file_of_utf_16_that_is_cut_off_yields_the_rows_before_the_cut(tmp_path: Path) -> None:
    rows, error = until_it_breaks(opened(tmp_path, "orders.csv", CSV.encode("utf-16")[:-1]))

    assert isinstance(error, BrokenSource)
    assert len(rows) >= 19_000


def test_a_damaged_group_of_a_parquet_file_leaves_the_rows_before_it(tmp_path: Path) -> None:
    path = tmp_path / "orders.parquet"
    pq.write_table(
        pa.table({"order_id": [f"o{n}" for n in range(300)]}), path, row_group_size=100, compression="snappy"
    )
    content = bytearray(path.read_bytes())
    begin = pq.ParquetFile(path).metadata.row_group(1).column(0).dictionary_page_offset
    content[begin : begin + 60] = b"\xff" * 60

    rows, error = until_it_breaks(opened(tmp_path, "orders.parquet", bytes(content)))

    assert [row.number for row in rows] == list(range(1, 101))
    assert isinstance(error, BrokenSource)
    assert "row 100 was the last" in error.rule
    assert "\n" not in error.rule


@pytest.mark.parametrize(
    ("name", "reading", "named"),
    [
        ("a.csv", Reading(delimiter=";;"), "--delimiter: ';;': one character"),
        ("a.csv", Reading(delimiter=""), "--delimiter.*one character"),
        ("a.csv", Reading(delimiter='"'), "--delimiter.*neither a double quote"),
        ("a.csv", Reading(delimiter="\n"), "--delimiter.*nor a line end"),
        ("a.csv", Reading(encoding="utf-9"), "--encoding: 'utf-9': a text encoding that Python knows"),
        ("a.csv", Reading(encoding="base64"), "--encoding.*a text encoding"),
        ("a.csv", Reading(encoding="utf\0"), "--encoding.*a text encoding"),
        ("a.jsonl", Reading(delimiter=";"), "--delimiter.*jsonl has no delimiter to choose"),
        ("a.parquet", Reading(encoding="utf-8"), "--encoding.*parquet has no encoding to choose"),
        ("a.parquet", Reading(delimiter=","), "--delimiter.*parquet has no delimiter to choose"),
    ],
)
def test_an_option_that_does_not_fit_is_refused(tmp_path: Path, name: str, reading: Reading, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        opened(tmp_path, name, b"PAR1" if name == "a.parquet" else b'{"a": 1}\n', reading)


def test_a_tab_can_be_written_as_shells_let_it_be_written(tmp_path: Path) -> None:
    assert opened(tmp_path, "a.csv", b"a,b\tc\n", Reading(delimiter="\\t")).columns(frozenset()) == ("a,b", "c")
