"""Which column each field of a kind is read from, and how its values are written and translated."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from common.errors import UsageError
from common.log.wire import BY_KIND, RecordType
from infra.ingest.date_formats import DateFormat
from infra.ingest.fields import RETRACTED_FIELD, VERSION_FIELD, required_because, required_fields, retraction_fields
from infra.ingest.values import FloatIds

UTC_ZONE: Final = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Habits:
    """How a file writes its texts, where that is not the wire's way."""

    decimal_comma: bool = False
    """Amounts are written 1234,50."""
    trim: bool = False
    """White space and invisible characters around a value, or around a column's name, are no part of it."""
    float_ids: FloatIds = "reject"


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """How a row's columns become a kind's fields. A field that is not named here is in the column of its own name."""

    kind: str
    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    translations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By field, the new text for each text. The empty text stands for a missing value."""
    zone: ZoneInfo = UTC_ZONE
    date_formats: Mapping[str, DateFormat] = field(default_factory=dict)
    """By field; a date that is not named here is written as ISO 8601."""
    habits: Habits = Habits()

    @property
    def entry(self) -> RecordType:
        return BY_KIND[self.kind]

    def column_of(self, name: str) -> str:
        return self.columns.get(name, name)

    @property
    def wanted(self) -> frozenset[str]:
        """The columns that a file must have."""
        required = (name for name in self.required() if name not in self.constants)
        return frozenset((*self.columns.values(), *map(self.column_of, required)))

    def resolved(self, columns: tuple[str, ...], repeated: frozenset[str] = frozenset()) -> "FieldMapping":
        """Returns the mapping with the file's own names of `columns`: with `habits.trim`, white space around them is no
        part of their names.

        Raises UsageError, which lists the columns, if one that is mapped or required is not among them, or if one that
        is read is `repeated`, which means that the file names it more than once.
        """
        own_names = {name.strip(): name for name in columns if name not in repeated} if self.habits.trim else {}
        found = {name: own_names.get(column, column) for name, column in self._read().items()}
        there = f"the columns are: {', '.join(map(_shown, columns))}"
        for name, column in self.columns.items():
            if found[name] not in columns:
                raise UsageError("--map", f"{name}={column}", f"{column!r} is no column of the file; {there}")
        missing = [name for name in self.required(columns) if name not in self.constants and found[name] not in columns]
        if missing:
            first = missing[0]
            why = required_because(self.entry, first) if len(missing) == 1 else "required, each of them"
            rule = f"{why}: name its column with --map {first}=COLUMN, or set it with --set {first}=VALUE; {there}"
            raise UsageError(", ".join(missing), None, rule)
        for name, column in found.items():
            if column in repeated and name not in self.constants:
                raise UsageError(name, column, f"a column that the file names once; {column!r} stands there repeatedly")
        return replace(self, columns={name: found[name] for name in found if found[name] != name})

    def has_version(self, columns: tuple[str, ...]) -> bool:
        """Returns whether `updated_at` is a column of the file, or a constant."""
        return VERSION_FIELD in self.constants or self.column_of(VERSION_FIELD) in columns

    def _read(self) -> dict[str, str]:
        """Returns the column of each field of the kind, as the options name it."""
        return {found.name: self.column_of(found.name) for found in msgspec.structs.fields(self.entry.data)}

    def required(self, columns: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Returns the fields that a file with these columns must have.

        If its rows may be retractions, these are only the fields of a retraction. The others are then checked row by
        row.
        """
        may_retract = RETRACTED_FIELD in self.constants or self.column_of(RETRACTED_FIELD) in columns
        return retraction_fields(self.entry) if may_retract else required_fields(self.entry)


def _shown(column: str) -> str:
    """Returns the name, in quotes if white space around it or odd characters in it could not be seen otherwise."""
    return column if column == column.strip() and column.isprintable() and column else repr(column)
