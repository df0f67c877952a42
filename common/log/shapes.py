"""The shape of a source's data: its fields, their JSON types and how often they are null; and how two shapes differ.

Pure: counts shapes that others observed, and knows neither records nor files.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import StrEnum
from fractions import Fraction
from typing import Final

import msgspec

NULL: Final = "null"
CHANCE: Final = 0.001
"""A field counts as removed only if its absence had a smaller probability than this, by its declared presence."""
MOST_FIELDS: Final = 500
"""The fields of a source that are compared, at most: the most frequent ones. Data whose keys are ids has any number."""


class FieldShape(msgspec.Struct, frozen=True):
    """What was seen of a field: in how many of the records, and how often with each type, `null` included."""

    records: int
    present: int
    types: dict[str, int]

    @property
    def named_types(self) -> tuple[str, ...]:
        """The types but null, sorted."""
        return tuple(sorted(kind for kind in self.types if kind != NULL))

    @property
    def null_share(self) -> Fraction:
        """The exact share of records in which the field is null or absent."""
        filled = self.present - self.types.get(NULL, 0)
        return Fraction(self.records - filled, self.records or 1)


class Shape(msgspec.Struct, frozen=True):
    """What was seen of a source's records of one kind: its fields, by name."""

    records: int
    fields: dict[str, FieldShape]

    def null_share(self, name: str) -> Fraction:
        """Returns the exact share of records in which the field is null or absent."""
        found = self.fields.get(name)
        return Fraction(1) if found is None else found.null_share


class Source(msgspec.Struct, frozen=True):
    """A source of records of one kind. What an import sends is one source; each series of files is another."""

    kind: str
    name: str


class Observed(msgspec.Struct, frozen=True):
    """The shape of what a source sent, with positions as examples."""

    source: Source
    shape: Shape
    first: str
    """The position of one of its records: `3:120`, or a file's `row 7`."""
    examples: dict[str, str] = {}
    """A position by field and type, spelled `field:type`."""


class What(StrEnum):
    """How a field differs from the declared one."""

    NEW = "new"
    """The declared shape does not have it. Allowed, and reported."""
    REMOVED = "removed"
    """No record has it any more. Needs approval by name."""
    CHANGED = "changed"
    """It has a type that was not declared. Stops the run until it is approved by name."""


class Change(msgspec.Struct, frozen=True):
    """One difference between a source's declared shape and the observed one."""

    what: What
    source: Source
    field: str
    was: tuple[str, ...]
    """The declared types; none for a new field."""
    now: tuple[str, ...]
    """The observed types that are not declared; none for a removed field."""
    records: int
    """In how many records it shows: those with the field, or for a removed one all."""
    example: str
    """The position of one of them."""

    @property
    def name(self) -> str:
        """What approves it: `removed:order.currency@shop`, `changed:order.gift:number@shop`."""
        types = f":{'+'.join(self.now)}" if self.what is What.CHANGED else ""
        return f"{self.what}:{self.source.kind}.{self.field}{types}@{self.source.name}"

    @property
    def text(self) -> str:
        """The change in a sentence without any value of a record."""
        of = f"{self.source.kind}.{self.field} from {self.source.name}"
        if self.what is What.NEW:
            return f"{of} is new ({', '.join(self.now)}), in {self.records:,} records, first {self.example}"
        if self.what is What.REMOVED:
            return (
                f"{of} ({', '.join(self.was)}) is gone: none of {self.records:,} records has it, first {self.example}"
            )
        return (
            f"{of} was {', '.join(self.was)}, and is {', '.join(self.now)} in {self.records:,} records, "
            f"first {self.example}"
        )


def changes(declared: Shape, observed: Observed, chance: float = CHANCE) -> list[Change]:
    """Returns how the observed shape differs from the declared one, by field.

    A declared field that no record has is removed, unless that may well be chance: of a field that half the records
    have, nine records may all be without it. Null is no type, so a field that becomes null has not changed.
    """
    return [*_of_observed_fields(declared, observed), *_removed(declared, observed, chance)]


def _of_observed_fields(declared: Shape, observed: Observed) -> Iterator[Change]:
    for name, found in observed.shape.fields.items():
        known = declared.fields.get(name)
        was = () if known is None else known.named_types
        now = tuple(kind for kind in found.named_types if kind not in was)
        if known is None:
            yield _change(What.NEW, observed, name, was=was, now=now or (NULL,), records=found.present)
        elif was and now:
            records = sum(found.types[kind] for kind in now)
            yield _change(What.CHANGED, observed, name, was=was, now=now, records=records)


def _removed(declared: Shape, observed: Observed, chance: float) -> Iterator[Change]:
    records = observed.shape.records
    for name, known in declared.fields.items():
        absent = 1 - known.present / known.records if known.records else 1.0
        if records and name not in observed.shape.fields and absent**records < chance:
            was = known.named_types or (NULL,)
            yield _change(What.REMOVED, observed, name, was=was, now=(), records=records)


def _change(
    what: What, observed: Observed, name: str, *, was: tuple[str, ...], now: tuple[str, ...], records: int
) -> Change:
    examples = (observed.examples.get(f"{name}:{kind}") for kind in now)
    return Change(
        what=what,
        source=observed.source,
        field=name,
        was=was,
        now=now,
        records=records,
        example=next((found for found in examples if found), observed.first),
    )


def accepted(found: Iterable[Change], approved: Collection[str]) -> list[Change]:
    """Returns the changes that become a part of the declared shape: new fields, and those that are approved by name."""
    return [change for change in found if change.what is What.NEW or change.name in approved]


def declared_after(declared: Shape | None, observed: Shape, taken: Iterable[Change]) -> Shape:
    """Returns the declared shape with the changes `taken` in it, or what was observed where none was declared.

    A field that was declared while it was always null is declared anew once it has a value.
    """
    if declared is None:
        return observed
    fields = dict(declared.fields)
    for change in taken:
        if change.what is What.REMOVED:
            fields.pop(change.field, None)
        elif change.what is What.NEW:
            fields[change.field] = observed.fields[change.field]
        else:
            known = fields[change.field]
            types = {**known.types, **{kind: observed.fields[change.field].types[kind] for kind in change.now}}
            fields[change.field] = FieldShape(known.records, known.present, types)
    for name, known in fields.items():
        found = observed.fields.get(name)
        if found is not None and not known.named_types:
            fields[name] = found
    return Shape(declared.records, fields)


def shape_of(records: int, types: Mapping[str, dict[str, int]]) -> Shape:
    """Returns the shape of so many records, whose fields have these types so often; at most `MOST_FIELDS` of them."""
    fields = {name: FieldShape(records, sum(found.values()), found) for name, found in types.items()}
    kept = sorted(fields.items(), key=lambda item: (-item[1].present, item[0]))[:MOST_FIELDS]
    return Shape(records, dict(sorted(kept)))
