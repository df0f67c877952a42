"""Searches every file of a home for texts, through each file's own format: the proof of an erasure (R24).

Kafka's segments are read batch by batch and decompressed, Cassandra's data files chunk by chunk, Parquet files column
by column, Avro files block by block, and gzip files whole. Every file is searched as it is besides.
"""

import gzip
import struct
import zlib
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import cramjam
import pyarrow.parquet as pq
from aiokafka.record.memory_records import MemoryRecords

_AVRO: Final = b"Obj\x01"


def search(folders: Iterable[Path], needles: Iterable[str]) -> dict[str, set[str]]:
    """Returns, by needle, the files that hold it."""
    wanted = {needle: needle.encode() for needle in needles}
    found: dict[str, set[str]] = {needle: set() for needle in wanted}
    for folder in folders:
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            for content in contents(path):
                for needle, text in wanted.items():
                    if text in content:
                        found[needle].add(str(path))
    return found


def contents(path: Path) -> Iterator[bytes]:
    """Yields the file as it is, and what it holds once it is decompressed and decoded."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:  # a server removed it meanwhile
        return
    yield raw
    if path.suffix == ".gz":
        yield gzip.decompress(raw)
    elif path.suffix == ".parquet" and not path.name.startswith("."):
        yield from _parquet(path)
    elif raw.startswith(_AVRO):
        yield from _avro(raw)
    elif path.name.endswith("-Data.db"):
        yield from _sstable(path, raw)
    elif path.suffix in (".log", ".deleted") and "kafka/data" in str(path):
        yield from _segment(raw)


def records_in(path: Path) -> Iterator[tuple[int, bytes, bytes]]:
    """Yields offset, key and value of every record in a segment of Kafka."""
    batches: Any = MemoryRecords(path.read_bytes())
    while batches.has_next():
        for record in batches.next_batch():
            yield record.offset, record.key or b"", record.value or b""


def _segment(raw: bytes) -> Iterator[bytes]:
    batches: Any = MemoryRecords(raw)
    while batches.has_next():
        for record in batches.next_batch():
            yield b"\0".join((record.key or b"", record.value or b"", repr(record.headers).encode()))


def _parquet(path: Path) -> Iterator[bytes]:
    file = pq.ParquetFile(path)
    yield repr(file.metadata.to_dict()).encode()
    for column in file.read().columns:
        for value in column.to_pylist():
            if value is not None:
                yield value if isinstance(value, bytes) else str(value).encode()


def _sstable(path: Path, raw: bytes) -> Iterator[bytes]:
    info = path.with_name(path.name.replace("-Data.db", "-CompressionInfo.db"))
    if not info.exists():
        return
    described = info.read_bytes()
    name, at = _utf(described, 0)
    assert name == "LZ4Compressor", name
    (options,) = struct.unpack_from(">i", described, at)
    at += 4
    for _ in range(2 * options):
        _, at = _utf(described, at)
    _, largest, _, chunks = struct.unpack_from(">iiqi", described, at)
    offsets = [*struct.unpack_from(f">{chunks}q", described, at + 20), len(raw)]
    whole = bytearray()
    for start, end in pairwise(offsets):
        chunk = raw[start : end - 4]  # four bytes of checksum follow
        whole += chunk if len(chunk) >= largest else bytes(cramjam.lz4.decompress_block(chunk))
    yield bytes(whole)


def _utf(content: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">H", content, at)
    return content[at + 2 : at + 2 + length].decode(), at + 2 + length


def _avro(raw: bytes) -> Iterator[bytes]:
    at = len(_AVRO)
    codec = "null"
    count, at = _long(raw, at)
    while count:
        if count < 0:
            _, at = _long(raw, at)
        for _ in range(abs(count)):
            key, at = _avro_bytes(raw, at)
            value, at = _avro_bytes(raw, at)
            codec = value.decode() if key == b"avro.codec" else codec
        count, at = _long(raw, at)
    at += 16
    while at < len(raw):
        _, at = _long(raw, at)
        block, at = _avro_bytes(raw, at)
        yield zlib.decompress(block, -15) if codec == "deflate" else block
        at += 16


def _avro_bytes(raw: bytes, at: int) -> tuple[bytes, int]:
    length, at = _long(raw, at)
    return raw[at : at + length], at + length


def _long(raw: bytes, at: int) -> tuple[int, int]:
    shift = number = 0
    while True:
        byte = raw[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), at
