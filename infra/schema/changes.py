"""The numbered files of the schema, and which of them a keyspace still lacks: pure, no client.

A file is never changed once it has landed; another one is added. Its statements end in `;`, and each may be repeated.
A quoted text in them holds neither `;` nor `--`.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from common.errors import Lambda360Error

_FILE: Final = re.compile(r"(\d{4})-([a-z0-9-]+)\.cql")


class SchemaError(Lambda360Error):
    """The schema of the keyspace and this release do not go together, or a change cannot be applied."""


@dataclass(frozen=True, slots=True)
class Change:
    """A numbered file."""

    number: int
    name: str
    statements: tuple[str, ...]

    @property
    def title(self) -> str:
        return title(self.number, self.name)

    @property
    def checksum(self) -> str:
        """Of the statements, without comments and whatever their layout."""
        plain = "\n".join(" ".join(statement.split()) for statement in self.statements)
        return hashlib.sha256(plain.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Recorded:
    """A change that was applied to the keyspace; `checksum` is of what it was then."""

    number: int
    name: str
    checksum: str
    applied_at: datetime
    applied_by: str

    @property
    def title(self) -> str:
        return title(self.number, self.name)

    @property
    def story(self) -> str:
        return f"on {self.applied_at:%Y-%m-%d %H:%M:%S} UTC by {self.applied_by}"


def title(number: int, name: str) -> str:
    """A file's name without its suffix."""
    return f"{number:04}-{name}"


def load(folder: Traversable | None = None) -> tuple[Change, ...]:
    """The changes of this release, or of `folder`, in order. Raises SchemaError unless they are numbered 1, 2, 3, …."""
    texts = {entry.name: entry for entry in (folder or files("infra.schema")).iterdir() if entry.name.endswith(".cql")}
    found = []
    for expected, name in enumerate(sorted(texts), start=1):
        match = _FILE.fullmatch(name)
        if match is None or int(match[1]) != expected:
            raise SchemaError(
                f"{name} stands where {expected:04}-….cql was expected: numbers begin at 1, without a gap"
            )
        found.append(Change(expected, match[2], _statements(texts[name].read_text(encoding="utf-8"))))
    return tuple(found)


def statements() -> list[str]:
    """All statements of this release, in order, without their comments."""
    return [statement for change in load() for statement in change.statements]


def tables() -> frozenset[str]:
    """The tables that this release makes."""
    return frozenset(re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", "\n".join(statements())))


def waiting(known: Sequence[Change], recorded: Sequence[Recorded]) -> list[Change]:
    """The changes of this release that are not on record, in order.

    Raises SchemaError if a recorded change was changed since, or if one was left out: a later one is on record.
    """
    on_record = {each.number: each for each in recorded}
    for change in known:
        found = on_record.get(change.number)
        if found is not None and found.checksum != change.checksum:
            raise SchemaError(
                f"{change.title} is not what was applied to this keyspace {found.story}. Files are only ever added to: "
                "bring the file back as it was, or use the release that has it so; nothing was applied"
            )
    lacking = [change for change in known if change.number not in on_record]
    later = [each for each in recorded if lacking and each.number > lacking[0].number]
    if later:
        raise SchemaError(
            f"{later[0].title} is on record (applied {later[0].story}), and {lacking[0].title} is not: this release "
            "and the keyspace have different histories. Use the release that applied it; nothing was applied"
        )
    return lacking


def newer(known: Sequence[Change], recorded: Sequence[Recorded]) -> list[Recorded]:
    """What is on record and not in this release: changes of a newer one."""
    numbers = {change.number for change in known}
    return [each for each in recorded if each.number not in numbers]


def _statements(text: str) -> tuple[str, ...]:
    bare = (line.partition("--")[0].rstrip() for line in text.splitlines())
    return tuple(statement.strip() for statement in "\n".join(filter(None, bare)).split(";") if statement.strip())
