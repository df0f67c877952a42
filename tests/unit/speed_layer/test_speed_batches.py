"""Records with any header are read (R14): once each, in order, from wherever the reader stands."""

import struct
from collections.abc import Sequence
from itertools import islice
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.structs import TopicPartition

from speed_layer.read.headers import Batches, Records, read_any_header

NO_BYTES = "\udcff"
"""Stands for a byte that no UTF-8 text has."""


class Name(str):
    """A header's name as raw bytes."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        return super().encode(errors="surrogateescape")


def batch(first: int, names: Sequence[str], *, codec: int = 0, producer: int = -1) -> bytes:
    """A batch whose records have one header each, `names`, from offset `first` on."""
    transactional = int(producer >= 0)
    builder = _DefaultRecordBatchBuilderPy(2, codec, transactional, producer, 0, 0, 2**20)
    for number, name in enumerate(names):
        assert builder.append(number, 0, b"key", b"value", [(Name(name), b"\xff")]) is not None
    return struct.pack(">q", first) + bytes(builder.build())[8:]


def read(*batches: bytes, start: int = 0, aborted: Sequence[tuple[int, int]] = ()) -> Any:
    content, committed = Batches(b"".join(batches)), fetcher.READ_COMMITTED
    return Records(TopicPartition("log", 0), content, list(aborted), start, None, None, True, committed)


@pytest.mark.parametrize("codec", range(5))
@pytest.mark.parametrize("start", range(4))
def test_a_name_that_is_not_utf8_is_read_as_kafkas_own_client_reads_it(codec: int, start: int) -> None:
    batches = (
        batch(0, ["a", "é", "b", "c"]),
        batch(4, ["a", f"x{NO_BYTES}y", "b"], codec=codec),
        batch(9, [NO_BYTES]),
        batch(10, ["", "a"]),
    )
    records = read(*batches, start=start)
    found = [(record.offset, record.headers) for record in records]
    names = ["a", "é", "b", "c", "a", "x\ufffdy", "b", "\ufffd", "", "a"]
    offsets = [0, 1, 2, 3, 4, 5, 6, 9, 10, 11]
    expected = [(offset, ((name, b"\xff"),)) for offset, name in zip(offsets, names, strict=True)]
    assert found == expected[start:]
    assert records.next_fetch_offset == 12


def test_an_aborted_transaction_stays_unread_behind_such_a_name() -> None:
    batches = (
        batch(0, ["a"], producer=7),
        batch(1, [NO_BYTES]),
        batch(2, ["a", NO_BYTES], producer=7),
        batch(4, ["b"]),
    )
    assert [record.offset for record in read(*batches, aborted=[(7, 0)])] == [1, 4]


def test_a_fetch_is_taken_in_portions_across_such_a_name() -> None:
    records = read(batch(0, ["a", "b", NO_BYTES, "c"]))
    assert [record.offset for record in islice(records, 2)] == [0, 1]
    assert records.next_fetch_offset == 2
    assert [record.offset for record in records] == [2, 3]


def test_aiokafka_itself_gives_up_on_such_a_name() -> None:
    """Should it no longer, this seam can go."""
    theirs = fetcher.PartitionRecords.__mro__[-2]
    assert theirs.__module__ == "aiokafka.consumer.fetcher"
    content = Batches(batch(0, [NO_BYTES]))
    with pytest.raises(UnicodeDecodeError):
        list(theirs(TopicPartition("log", 0), content, [], 0, None, None, True, fetcher.READ_COMMITTED))


def test_every_consumer_reads_so_once_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MemoryRecords", "PartitionRecords"):
        monkeypatch.setattr(fetcher, name, getattr(fetcher, name))
    read_any_header()
    assert (fetcher.MemoryRecords, fetcher.PartitionRecords) == (Batches, Records)
