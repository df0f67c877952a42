"""Names what a file is that can be read in no format, by its first bytes."""

import zipfile
from pathlib import Path
from typing import Final

PARQUET: Final = b"PAR1"
"""The first bytes of every Parquet file."""
LOOKED_AT: Final = 512
"""The first bytes of a file that must be known."""
_SHEET: Final = "save its sheet as CSV UTF-8, and import that"
_UNPACK: Final = "unpack it, and import the file inside of it"
_EXPORT: Final = "export it as CSV, JSON Lines or Parquet"
_ZIP: Final = b"PK\x03\x04"
_TAR: Final = (257, b"ustar")
_KNOWN: Final = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", f"this is a workbook of an old Excel (.xls); {_SHEET}"),
    (b"PK\x05\x06", "this is an empty ZIP archive"),
    (b"Obj\x01", f"this is an Avro file; {_EXPORT}"),
    (b"ARROW1\0\0", f"this is an Arrow file; {_EXPORT}"),
    (b"FEA1", f"this is a Feather file; {_EXPORT}"),
    (b"SQLite format 3\0", f"this is an SQLite database; {_EXPORT}"),
    (b"%PDF-", f"this is a PDF; {_EXPORT} from where its data comes from"),
    (b"BZh", "this file is compressed with bzip2; decompress it first"),
    (b"\xfd7zXZ\0", "this file is compressed with xz; decompress it first"),
    (b"\x04\x22\x4d\x18", "this file is compressed with lz4; decompress it first"),
    (b"7z\xbc\xaf\x27\x1c", f"this is a 7z archive; {_UNPACK}"),
    (b"Rar!\x1a\x07", f"this is a RAR archive; {_UNPACK}"),
)
_MARKUP: Final = (b"<!doctype", b"<html", b"<?xml", b"<table")


def unreadable_because(path: Path, start: bytes) -> str | None:
    """Returns what a file that begins with `start` is, and what to do; None if it may be read.

    `start` is the decompressed beginning of `path`, of `LOOKED_AT` bytes if the file is not shorter.
    """
    if start.startswith(_ZIP):
        return _archive(path)
    for signature, rule in _KNOWN:
        if start.startswith(signature) and (len(signature) > 3 or not _is_text(start)):
            return rule
    if start.startswith(b"ORC") and not _is_text(start):
        return f"this is an ORC file; {_EXPORT}"
    if start[_TAR[0] :].startswith(_TAR[1]):
        return f"this is a tar archive; {_UNPACK}"
    if start.lstrip(b"\xef\xbb\xbf\r\n\t ").lower().startswith(_MARKUP):
        return f"this is HTML or XML; {_EXPORT}"
    return None


def _archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        names = []
    if any(name.startswith("xl/") for name in names):
        return f"this is an Excel workbook (.xlsx); {_SHEET}"
    if "content.xml" in names:
        return f"this is an OpenDocument file; {_SHEET}"
    return f"this is a ZIP archive; {_UNPACK}"


def _is_text(start: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\r\n" for byte in start)
