"""What an import did, counted; knows no terminal."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

from common.algebra.payloads import Retracted
from common.errors import RejectedRecord, shorten
from common.log.events import Event
from common.log.wire import RecordType
from infra.ingest.advice import advice
from infra.ingest.declaring import Comparison
from infra.ingest.fields import choice_fields
from infra.ingest.repeats import Repeats

MOST_WORDS: Final = 20
MOST_ERASED: Final = 3
"""Erased customers that are named."""
MOST_RULES: Final = 1_000
"""Rules that are counted apart. Further ones, in a file that breaks so many, are counted together."""
_OTHERS: Final = "other rules"
_TYPED: Final = (Decimal, date, time, timedelta)
"""What a typed column holds, whose text is plainer than what Python writes for it."""
_DIGITS: Final = re.compile(r"\d+")


@dataclass(slots=True)
class BrokenRule:
    """A rule that rows of the file broke, with the first of them."""

    name: str
    """Of the field."""
    column: str | None
    rule: str
    row: int
    value: str
    advice: str | None
    count: int = 0
    words: dict[str, int] = field(default_factory=dict)
    """How often each of the first `MOST_WORDS` different values broke it, for a field that is one of few words."""


@dataclass(slots=True)
class Summary:
    """What an import did. `sent` counts acknowledged records; in a dry run it counts valid ones."""

    rejects: Path
    entry: RecordType
    dry_run: bool = False
    notes: list[str] = field(default_factory=list)
    """Whole sentences about how the file was read."""
    read: int = 0
    sent: int = 0
    future_dated: int = 0
    retracted: int = 0
    repeats: Repeats = Repeats()
    repeats_named: dict[int, str] = field(default_factory=dict)
    """The entity ids of the rows that `repeats` gives as examples, by row."""
    erased: dict[str, int] = field(default_factory=dict)
    """The customers of valid rows who were erased, with the first row of each."""
    left_out: int = 0
    """Valid rows that were left out, since their customers were erased."""
    version_is_own_date: bool = False
    """Whether the file has no `updated_at`, so that an entity's own date is its version."""
    comparison: Comparison | None = None
    """How the file differs from the others of its series; None if it was not compared."""
    seconds: float = 0.0
    interrupted: bool = False
    broken: str | None = None
    """Why the file could not be read to its end, if so."""
    _rules: dict[tuple[str, str], BrokenRule] = field(default_factory=dict)
    _choices: frozenset[str] = field(init=False)
    """The fields that are one of a few words."""

    def __post_init__(self) -> None:
        self._choices = choice_fields(self.entry)

    @property
    def is_whole(self) -> bool:
        """Whether the file was read to its end."""
        return not self.interrupted and self.broken is None

    @property
    def rejected(self) -> int:
        return sum(rule.count for rule in self._rules.values())

    @property
    def broken_rules(self) -> list[BrokenRule]:
        """The rules that rows broke, the most frequent first."""
        return sorted(self._rules.values(), key=lambda rule: -rule.count)

    def count_rejected(self, row: int, column: str | None, error: RejectedRecord) -> None:
        key = (error.field, _DIGITS.sub("0", error.rule))  # texts that differ in a number are of one rule
        if key not in self._rules and len(self._rules) >= MOST_RULES:
            key = ("row", _OTHERS)
        found = self._rules.get(key)
        if found is None:
            found = self._rules[key] = self._first_of(key, row, column, error)
        found.count += 1
        word = error.value
        known = found.words
        if isinstance(word, str) and error.field in self._choices and (word in known or len(known) < MOST_WORDS):
            known[word] = known.get(word, 0) + 1

    def _first_of(self, key: tuple[str, str], row: int, column: str | None, error: RejectedRecord) -> BrokenRule:
        return BrokenRule(
            name=key[0],
            column=column,
            rule=_OTHERS if key[1] == _OTHERS else error.rule,
            row=row,
            value=str(error.value) if isinstance(error.value, _TYPED) else shorten(error.value),
            advice=advice(self.entry, error.field, error.value),
        )

    def count_valid(self, event: Event) -> None:
        self.future_dated += event.future_dated
        self.retracted += event.image is not None and isinstance(event.image.payload, Retracted)

    def as_json(self) -> dict[str, object]:
        """Returns the summary as a JSON object. Its names stay the same from release to release."""
        return {
            "kind": self.entry.kind,
            "dry_run": self.dry_run,
            "read": self.read,
            "valid" if self.dry_run else "sent": self.sent,
            "rejected": self.rejected,
            "broken_rules": [
                {
                    "count": each.count,
                    "field": each.name,
                    "column": each.column,
                    "rule": each.rule,
                    "first_row": each.row,
                    "first_value": each.value,
                    "words": each.words,
                    "advice": each.advice,
                }
                for each in self.broken_rules
            ],
            "rejects": str(self.rejects) if self.rejected else None,
            "entities": self.repeats.entities,
            "clashing": {
                "rows": self.repeats.clashing_rows,
                "entities": self.repeats.clashing_entities,
                "example": list(self._named(self.repeats.clashing_example)),
            },
            "moved": {
                "entities": self.repeats.moved_entities,
                "example": list(self._named(self.repeats.moved_example)),
            },
            "erased": {
                "customers": len(self.erased),
                "example": [{"row": row, "customer_id": who} for who, row in list(self.erased.items())[:MOST_ERASED]],
                "left_out": self.left_out,
            },
            "unchanging": self.repeats.unchanging_rows,
            "retracted": self.retracted,
            "future_dated": self.future_dated,
            "version_is_own_date": self.version_is_own_date,
            "shape": None if self.comparison is None else self.comparison.as_json(),
            "notes": self.notes,
            "seconds": round(self.seconds, 3),
            "interrupted": self.interrupted,
            "broken": self.broken,
        }

    def _named(self, rows: tuple[int, ...]) -> Iterator[dict[str, object]]:
        for row in rows:
            yield {"row": row, "entity_id": self.repeats_named.get(row)}
