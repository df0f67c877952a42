"""Opens a file for reading, whether or not it is compressed with gzip or zstd."""

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import pyarrow as pa

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SUFFIXES: Final = (".gz", ".zst")
BREAKS: Final = (EOFError, OSError, zlib.error, pa.ArrowException)
"""What reading raises where a compressed file is cut off or damaged."""
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = (b"\x28\xb5\x2f\xfd", *(bytes((0x50 + low, 0x2A, 0x4D, 0x18)) for low in range(16)))


def packing_of(start: bytes) -> str | None:
    """Returns the name of the compression that a file's first bytes name, None for a file that is not compressed."""
    if start.startswith(_GZIP):
        return "gzip"
    return "zstd" if start.startswith(_ZSTD) else None


@contextmanager
def opened(path: Path, on_read: Callable[[int], None] = lambda done: None) -> Iterator[BinaryIO]:
    """Opens the content of `path`, decompressed. `on_read` is called with the bytes of the file that were read."""
    with ExitStack() as stack:
        plain = stack.enter_context(path.open("rb"))
        packing = packing_of(plain.read(4))
        plain.seek(0)
        counted = stack.enter_context(io.BufferedReader(_Raw(plain, on_read), 1 << 16))
        if packing is None:
            yield cast(BinaryIO, counted)
        elif packing == "gzip":
            yield cast(BinaryIO, stack.enter_context(gzip.GzipFile(fileobj=counted, mode="rb")))
        else:
            frames = pa.CompressedInputStream(pa.PythonFile(counted, mode="r"), "zstd")
            yield cast(BinaryIO, stack.enter_context(io.BufferedReader(_Raw(frames))))


class _Raw(io.RawIOBase):
    """A stream of bytes as Python's own files are. It reports how many bytes were read."""

    def __init__(self, stream: "BinaryIO | pa.NativeFile", on_read: Callable[[int], None] = lambda done: None) -> None:
        self._stream = stream
        self._on_read = on_read
        self._done = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)
        data = self._stream.read(len(view))
        view[: len(data)] = data
        self._done += len(data)
        self._on_read(self._done)
        return len(data)
