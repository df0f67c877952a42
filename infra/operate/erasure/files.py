"""Takes erased customers out of this machine's own files: logs, files of rejected rows, and what Spark left (R24)."""

import gzip
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from common.log.mention import finder
from common.log.position import Position
from infra.paths import rejects_list

NOTE: Final = b"(a line about an erased customer was here)"
LEFTOVER_SECONDS: Final = 86_400.0
"""A hidden file of an import that is older was left by one that was killed."""
_NOT_LOGS: Final = frozenset({"kafka", "cassandra", "warehouse", "workers", "tmp", "run", "lineage"})
"""Folders of the home that hold no log: servers' data, the warehouse, locks, Spark's scratch space, kept events."""
Found = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """How many lines went, and from how many files."""

    lines: int = 0
    files: int = 0

    def __add__(self, other: "Scrubbed") -> "Scrubbed":
        return Scrubbed(self.lines + other.lines, self.files + other.files)


def scrub_logs(home: Path, customers: Sequence[str], rejected: Sequence[Position]) -> Scrubbed:
    """Overwrites each line of a log in the home that names one of the customers or a rejected record of theirs.

    Lines keep their length, so a process that writes to the log meanwhile is not disturbed. A compressed log is written
    anew. Idempotent.
    """
    by_id = finder(customers)
    records = re.compile(b"|".join(rb"\brecord=%d:%d(?![0-9])" % each for each in rejected) or rb"(?!)")

    def found(line: bytes) -> bool:
        return by_id(line) or records.search(line) is not None

    total = Scrubbed()
    for path in _logs(home):
        lines = _scrub_compressed(path, found) if path.suffix == ".gz" else _scrub_in_place(path, found)
        total += Scrubbed(lines, int(lines > 0))
    return total


def scrub_rejects(home: Path, customers: Sequence[str]) -> tuple[Scrubbed, list[Path]]:
    """Removes the rows of these customers from the files of rejected rows that imports with this home wrote.

    Returns what was removed, and the files that could not be read or written. What a killed import left beside such a
    file is deleted. A file that is gone is left out of the list from then on.
    """
    found = finder(customers)
    total = Scrubbed()
    unreachable: list[Path] = []
    kept: list[str] = []
    for path in _known_rejects(home):
        try:
            _delete_leftovers(path)
            if path.exists():
                total += _scrub_rejects(path, found)
        except OSError:
            unreachable.append(path)
        if path.exists() or path in unreachable:
            kept.append(json.dumps(str(path)))
    known = rejects_list(home)
    if known.exists():
        _replace(known, "".join(f"{line}\n" for line in kept).encode())
    return total, unreachable


def clear_scratch(home: Path) -> int:
    """Deletes what Spark left in its scratch space; returns how many entries. No batch of this home may run."""
    entries = list((home / "spark" / "tmp").glob("*"))
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
    return len(entries)


def _logs(home: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(home):
        folders[:] = [name for name in folders if name not in _NOT_LOGS]
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink() and path.suffix not in (".lock", ".env"):
                yield path


def _scrub_in_place(path: Path, found: Found) -> int:
    lines = 0
    with path.open("rb+", buffering=1 << 20) as file:
        start = 0
        for line in file:
            text = line.rstrip(b"\r\n")
            if found(text):
                os.pwrite(file.fileno(), NOTE[: len(text)].ljust(len(text)), start)
                lines += 1
            start += len(line)
    return lines


def _scrub_compressed(path: Path, found: Found) -> int:
    with gzip.open(path, "rb") as file:
        lines = file.read().split(b"\n")
    after = [NOTE if found(line) else line for line in lines]
    changed = sum(before != now for before, now in zip(lines, after, strict=True))
    if changed:
        _replace(path, gzip.compress(b"\n".join(after)))
    return changed


def _known_rejects(home: Path) -> list[Path]:
    known = rejects_list(home)
    lines = known.read_text(encoding="utf-8").splitlines() if known.exists() else []
    return [Path(json.loads(line)) for line in dict.fromkeys(lines) if line]


def _scrub_rejects(path: Path, found: Found) -> Scrubbed:
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if not found(line)]
    if len(kept) == len(lines):
        return Scrubbed()
    if kept:
        _replace(path, b"".join(kept))
    else:
        path.unlink()
    return Scrubbed(len(lines) - len(kept), 1)


def _delete_leftovers(path: Path) -> None:
    for leftover in path.parent.glob(f".{path.name}.*"):
        if time.time() - leftover.stat().st_mtime > LEFTOVER_SECONDS:
            leftover.unlink()


def _replace(path: Path, content: bytes) -> None:
    """The file has the new content, or the old one if the process is killed."""
    partial = path.with_name(f".{path.name}.erasing")
    partial.write_bytes(content)
    partial.chmod(path.stat().st_mode & 0o777)
    partial.replace(path)
