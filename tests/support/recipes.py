"""A page of recipes as a test follows it: files, the commands that import them, and what that does to the answers."""

import re
import shlex
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

_PART: Final = re.compile(
    r"^`(?P<name>[\w.-]+)`:\n\n```csv\n(?P<content>.*?)^```$"
    r"|^```sh\n(?P<commands>.*?)^```$"
    r"|^\| (?P<customer>\w+) \| (?P<of>[\w.]+) \| (?P<before>[^|\n]+) \| (?P<after>[^|\n]+) \|$",
    re.MULTILINE | re.DOTALL,
)
_LINES_OF_A_TABLES_HEAD: Final = 2


@dataclass(frozen=True, slots=True)
class Effect:
    """A row of a table: what a part of a customer's answer is before and after a step."""

    customer: str
    of: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Step:
    """Files that the page gives, commands to run on them, and their effects."""

    files: dict[str, str] = field(default_factory=dict)
    commands: list[list[str]] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)

    @property
    def customers(self) -> list[str]:
        return sorted({effect.customer for effect in self.effects})


def as_of(page: Path) -> date:
    """The day of the page's answers."""
    (day,) = re.findall(r"\?as_of=(\d{4}-\d\d-\d\d)", page.read_text(encoding="utf-8"))
    return date.fromisoformat(day)


def steps(page: Path) -> list[Step]:
    """The page's steps, in its order. Raises AssertionError where a part of it could not be read."""
    text = page.read_text(encoding="utf-8")
    found = [Step()]
    for part in _PART.finditer(text):
        if part["name"]:
            if found[-1].commands:
                found.append(Step())
            found[-1].files[part["name"]] = part["content"]
        elif part["commands"]:
            if found[-1].commands:
                found.append(Step())
            found[-1].commands.extend(shlex.split(line) for line in part["commands"].splitlines())
        else:
            found[-1].effects.append(Effect(part["customer"], part["of"], part["before"], part["after"]))
    _check_whole(text, found)
    return found


def told(entry: dict[str, Any], of: str) -> str:
    """A part of a served entry as the page writes it: a metric, `profile` or one of its fields."""
    if entry["status"] == "unknown":
        return "unknown"
    if of == "profile":
        return "null" if entry["profile"] is None else "known"
    name = of.removeprefix("profile.")
    value = entry["metrics"][of] if name == of else entry["profile"][name]
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _check_whole(text: str, found: list[Step]) -> None:
    assert text.count("```") == 2 * sum(len(step.files) + 1 for step in found), "a block is neither file nor commands"
    rows = [line for line in text.splitlines() if line.startswith("|")]
    tables = sum(line.startswith("|---") for line in rows)
    assert len(rows) == sum(len(step.effects) for step in found) + _LINES_OF_A_TABLES_HEAD * tables, (
        "a row is no effect"
    )
    assert all(step.commands and step.effects for step in found), "a step without a command or an effect"
