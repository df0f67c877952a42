"""What aiokafka makes of a fetch, and of header names that are not UTF-8, on which its parser gives up.

Kafka takes any bytes as a header's name. One such record, by whomever, would stop every worker that meets it, again and
again. So the rest of its fetch is read by aiokafka's parser in Python, and the name becomes what Kafka's own client
makes of it.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any, SupportsIndex

from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy


def read_any_header() -> None:
    """From now on every consumer of this process reads records whatever their headers are named."""
    fetcher.MemoryRecords, fetcher.PartitionRecords = Batches, Records


class Batches:
    """aiokafka's own `MemoryRecords`, with the bytes that it reads."""

    __slots__ = ("content", "has_next", "next_batch", "size_in_bytes")

    def __init__(self, content: bytes) -> None:
        records = MemoryRecords(content)
        self.content, self.size_in_bytes = content, records.size_in_bytes
        self.has_next, self.next_batch = records.has_next, records.next_batch


class Records(PartitionRecords):  # type: ignore[misc] # aiokafka is not typed
    """The records of one partition in one fetch, in offset order; what was given is not given again."""

    _records: Any

    def _unpack_records(self) -> Iterator[Any]:
        try:
            yield from super()._unpack_records()
        except UnicodeDecodeError:
            self._records = _LenientBatches(self._records.content, self.next_fetch_offset)
            yield from super()._unpack_records()


class _LenientBatches:
    """The batches from the one on that holds `start` or, if none does, the next."""

    def __init__(self, content: bytes, start: int) -> None:
        self._left = deque(batch for batch in map(_LenientBatch, _slices(content)) if batch.next_offset > start)

    def has_next(self) -> bool:
        return bool(self._left)

    def next_batch(self) -> "_LenientBatch":
        return self._left.popleft()


def _slices(content: bytes) -> Iterator[Any]:
    records: Any = _MemoryRecordsPy(content)
    while records.has_next():
        yield records._next_slice  # noqa: SLF001 # the seam
        records.next_batch()


class _LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc] # final for their own type checks only
    _buffer: Any

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _Lenient(self._buffer)


class _Lenient(bytearray):
    """Bytes of which any part can be decoded."""

    def __getitem__(self, at: SupportsIndex | slice) -> Any:
        found = super().__getitem__(at)
        return _Lenient(found) if isinstance(found, bytearray) else found

    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        return super().decode(encoding, errors)
