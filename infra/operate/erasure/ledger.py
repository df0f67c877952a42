"""The ledger of erasures: a file of JSON lines outside of the system's data, from which a restore erases again (R25).

It names erased customers, and is the only place of ours that does so on purpose.
"""

import fcntl
import os
import uuid
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from common.errors import UsageError

_MODE: Final = 0o600
_RULE: Final = "a ledger of erasures: one JSON object a line, as `lambda360 erase` writes them"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One erasure. It is written twice: before its record is sent, and again, with the position, once it is in the log.

    Of the lines with one `id` the last one counts.
    """

    id: str = msgspec.field(default_factory=lambda: uuid.uuid4().hex)
    customer_id: str
    at: datetime
    """When the operator asked for it."""
    who: str
    reason: str = ""
    topic_id: str
    """The log that the record was sent to."""
    position: str | None = None
    """`partition:offset` in that log; None if it is not known whether the record was appended."""
    again_of: str | None = None
    """The `id` of the entry that this one applies again, after a restore."""


def append(path: Path, entry: Entry) -> None:
    """Adds the entry's line; it is on the disk when this returns. Raises UsageError if the file cannot be written."""
    line = msgspec.json.encode(entry) + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, _MODE)
        with open(descriptor, "rb+", buffering=0) as file:  # noqa: PTH123 # the descriptor has the mode of a new file
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(line if _ends_with_a_line(file.fileno()) else b"\n" + line)
            os.fsync(file.fileno())
        if is_new:
            _sync_folder(path.parent)
    except OSError as error:
        rule = f"the erasure ledger cannot be written there: {error.strerror}; nothing was erased by this command"
        raise UsageError("LAMBDA360_ERASURE_LEDGER", str(path), rule) from error


def read(path: Path) -> list[Entry]:
    """Returns the entries in the order of their first lines; none if there is no file.

    A last line that a crash cut short is left out. Raises UsageError for any other file.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError("ledger", str(path), f"{_RULE}: {error.strerror}") from error
    entries: dict[str, Entry] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = msgspec.json.decode(line, type=Entry)
        except msgspec.DecodeError as error:
            if line.endswith(b"}"):
                raise UsageError("ledger", f"{path}:{number}", f"{_RULE}: {error}") from error
            continue  # a write that a crash cut short; its erasure was not sent, or has an earlier line
        entries[entry.id] = entry
    return list(entries.values())


def to_apply_again(entries: Sequence[Entry], since: datetime, topic_id: str, own: Sequence[Entry]) -> list[Entry]:
    """Returns the last erasure of each customer that was asked for at or after `since` and is not in this log.

    `topic_id` names the log, and `own` holds the entries of the ledger that this deployment writes.
    """
    done = {entry.again_of for entry in own if entry.topic_id == topic_id and entry.position is not None}
    last: dict[str, Entry] = {}
    for entry in entries:
        if entry.at >= since:
            last[entry.customer_id] = entry
    return [entry for entry in last.values() if entry.topic_id != topic_id and entry.id not in done]


def _ends_with_a_line(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
