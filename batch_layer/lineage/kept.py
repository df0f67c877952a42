"""The kept events: a file for each batch, one event a line. Each event of an attempt is kept once (R19)."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

import msgspec
import structlog

from batch_layer.lineage.event import Event, decode
from common.settings import Settings

log = structlog.get_logger(__name__)
_ORIGIN: Final = "lambda360_origin"


class Kept:
    """The events of a keyspace's runs in a folder, which need not exist. After a restore, a home has had several."""

    def __init__(self, folder: Path, keyspace: str) -> None:
        self._folder = folder
        self._keyspace = keyspace

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Returns the events of this deployment."""
        return cls(settings.lineage_folder, settings.cassandra.keyspace)

    def add(self, line: bytes) -> bool:
        """Appends an event, given as one line of JSON, and returns True; False if that attempt's event is there.

        The line is there whole or not at all, also if the process is killed: a torn line counts as absent.
        """
        event = decode(line)
        self._folder.mkdir(parents=True, exist_ok=True)
        with _locked(self._path(event.batch_id)) as file:
            held = os.pread(file, os.fstat(file).st_size, 0)
            if any(_key(each) == _key(event) for each in _events(held)):
                return False
            torn = b"" if not held or held.endswith(b"\n") else b"\n"
            os.write(file, torn + line + b"\n")
            os.fsync(file)
            return True

    def events(self, batch_id: int | None = None) -> list[Event]:
        """Returns the events of one batch or of all, in the order of the batches and of their being kept."""
        return [event for path in self._files(batch_id) for event in _events(path.read_bytes())]

    def lines(self, batch_id: int | None = None) -> list[bytes]:
        """Returns the same events as they are kept."""
        return [line for path in self._files(batch_id) for line in _whole(path.read_bytes())]

    def rename_origins(self, name_of: Callable[[str], str]) -> int:
        """Gives the origins of records the names that `name_of` returns, in the events of every keyspace.

        Returns how many events changed.

        Origins are files and producers; nothing else in an event has a name that people chose for their data.
        """
        changed = 0
        for path in sorted(self._folder.glob("*-*.jsonl")):
            with _locked(path) as file:
                held = _whole(os.pread(file, os.fstat(file).st_size, 0))
                after = [_renamed(line, name_of) for line in held]
                renamed = sum(before != now for before, now in zip(held, after, strict=True))
                if renamed:
                    _replace(path, b"".join(line + b"\n" for line in after))
                changed += renamed
        return changed

    def _files(self, batch_id: int | None) -> list[Path]:
        if batch_id is None:
            return sorted(self._folder.glob(f"{self._keyspace}-*.jsonl"))
        path = self._path(batch_id)
        return [path] if path.exists() else []

    def _path(self, batch_id: int) -> Path:
        return self._folder / f"{self._keyspace}-{batch_id:08d}.jsonl"


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Yields the open file, which no other process changes meanwhile."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if path.exists() and os.fstat(file).st_ino == path.stat().st_ino:  # else it was replaced before the lock
                yield file
                return
        finally:
            os.close(file)


def _decoded(held: bytes) -> Iterator[tuple[bytes, Event]]:
    """The lines that are events, each with its event; a process that was killed may have left a part of a line."""
    for line in held.splitlines():
        try:
            yield line, decode(line)
        except msgspec.DecodeError as error:
            log.warning("a line of the kept lineage is no event", error=str(error))


def _whole(held: bytes) -> list[bytes]:
    return [line for line, _ in _decoded(held)]


def _events(held: bytes) -> list[Event]:
    return [event for _, event in _decoded(held)]


def _key(event: Event) -> tuple[str, str]:
    return event.run.id, event.type


def _renamed(line: bytes, name_of: Callable[[str], str]) -> bytes:
    content = msgspec.json.decode(line)
    before = [each["name"] for each in content["inputs"]]
    for each in content["inputs"]:
        if _ORIGIN in each.get("inputFacets", {}):
            each["name"] = name_of(each["name"])
    after = [each["name"] for each in content["inputs"]]
    return line if before == after else msgspec.json.encode(content, order="deterministic")


def _replace(path: Path, content: bytes) -> None:
    """The file has the new content, or the old one if the process is killed."""
    partial = path.with_name(f".{path.name}.renaming")
    partial.write_bytes(content)
    partial.replace(path)
