"""The guard: compares what the code makes of the corpus with what was recorded under the declared names."""

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import msgspec

from common.algebra.versions import logic_version
from common.log.events import validation_version
from common.log.normalizing import Rules
from tests.golden.histories import LOGIC, Entry
from tests.golden.outcomes import reckoned, validated
from tests.golden.records import Raw
from tests.golden.sections import VALIDATION

RECORDED: Final = Path(__file__).with_name("recorded.json")
RULES: Final = (Rules("USD"), Rules("EUR"))
RECORD: Final = "record it with `python -m tests.golden`"


class Digests(msgspec.Struct, frozen=True):
    """Of a section's records, and of what a version makes of them: the first 16 digits of their sha256."""

    corpus: str
    outcome: str


Sections = dict[str, Digests]
Recorded = dict[str, dict[str, Sections]]
"""The digests by constant (LOGIC, VALIDATION), by version name, and by section."""


class Finding(NamedTuple):
    """Why the guard fails; `refused` is what recording does not mend."""

    text: str
    refused: bool


@cache
def records(section: str) -> tuple[Raw, ...]:
    """The records of a section for validation; its name is its seed."""
    return tuple(VALIDATION[section](Random(f"validation/{section}")))


@cache
def histories(section: str) -> tuple[Entry, ...]:
    """The entries of a section for the logic; its name is its seed."""
    return tuple(LOGIC[section](Random(f"logic/{section}")))


def measured() -> Recorded:
    """What the code makes of the corpus, under the names that it declares."""
    return logic() | validation(*RULES)


def logic() -> Recorded:
    """What it makes of the histories."""
    return {"LOGIC": {logic_version(): {each: _digests(histories(each), reckoned(histories(each))) for each in LOGIC}}}


def validation(*settings: Rules) -> Recorded:
    """What it makes of the records, under each of the settings."""
    return {"VALIDATION": {validation_version(rules): _validation(rules) for rules in settings}}


def _validation(rules: Rules) -> Sections:
    return {each: _digests(records(each), validated(records(each), rules)) for each in VALIDATION}


def _digests(corpus: Iterable[Raw] | Iterable[Entry], outcome: Iterable[str]) -> Digests:
    return Digests(_digest(each.text() for each in corpus), _digest(outcome))


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def recorded(path: Path = RECORDED) -> Recorded:
    """What was recorded; nothing where no file is."""
    return msgspec.json.decode(path.read_bytes(), type=Recorded) if path.exists() else {}


def findings(then: Recorded, now: Recorded) -> list[Finding]:
    """What is wrong with the names of `now`; a name that the code no longer declares is not judged."""
    found: list[Finding] = []
    for constant, names in now.items():
        for name, sections in names.items():
            known = then.get(constant, {}).get(name)
            if known is None:
                found.append(Finding(f"{constant} {name!r} is not recorded: {RECORD}", refused=False))
            else:
                found += _compared(constant, name, known, sections)
    return found


def _compared(constant: str, name: str, then: Sections, now: Sections) -> Iterable[Finding]:
    for section in dict.fromkeys((*then, *now)):
        where = f"section {section!r} of {constant} {name!r}"
        if section not in then:
            yield Finding(f"{where} is not recorded: {RECORD}", refused=False)
        elif section not in now or now[section].corpus != then[section].corpus:
            text = "the corpus changed: sections are frozen. Put its generator back, and add a new section beside it"
            yield Finding(f"{where}: {text}", refused=True)
        elif now[section].outcome != then[section].outcome:
            text = (
                f"the meaning changed under the old name. Undo that, or raise {constant} in common/algebra/versions.py"
            )
            yield Finding(f"{where}: {text} and record the new name with `python -m tests.golden`", refused=True)


def record(path: Path = RECORDED, *, now: Recorded | None = None) -> list[str]:
    """Adds the declared names, and new sections of them, to the file; what is recorded is never overwritten.

    Returns why it refused; then nothing was written.
    """
    then, now = recorded(path), now or measured()
    refusals = [finding.text for finding in findings(then, now) if finding.refused]
    if not refusals:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(_merged(then, now)), indent=1) + b"\n")
    return refusals


def _merged(then: Recorded, now: Recorded) -> Recorded:
    merged = {constant: dict(names) for constant, names in then.items()}
    for constant, names in now.items():
        known = merged.setdefault(constant, {})
        for name, sections in names.items():
            known[name] = known.get(name, {}) | sections
    return merged
