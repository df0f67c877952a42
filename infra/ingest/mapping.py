"""Which field of a kind comes from which column, or is a constant, and how its values are translated."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from common.algebra.dates import parse_moment
from common.algebra.payloads import PAYLOADS
from common.errors import RejectedRecord, UsageError
from common.log.texts import DateText
from common.log.wire import ALIASES, BY_KIND, RecordType
from infra.ingest.fields import RETRACTED_FIELD, fields_of, required_because, required_fields, retraction_fields
from infra.ingest.values import date_converter, flag_of, zone_of

KINDS: Final = tuple(PAYLOADS)
UTC_ZONE: Final = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """How a row's columns become a kind's fields. A field that is not named here is in the column of its own name."""

    kind: str
    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    translations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By field, the new text for each text. The empty text stands for a missing value."""
    zone: ZoneInfo = UTC_ZONE

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

    def check(self, columns: tuple[str, ...]) -> None:
        """Raises UsageError, which lists `columns`, if a column that is mapped or required is not among them."""
        there = f"the columns are: {', '.join(columns)}"
        for name, column in self.columns.items():
            if column not in columns:
                raise UsageError("--map", f"{name}={column}", f"{column!r} is no column of the file; {there}")
        for name in self.required(columns):
            if name not in self.constants and self.column_of(name) not in columns:
                why = required_because(self.entry, name)
                rule = f"{why}: name its column with --map {name}=COLUMN, or set it with --set {name}=VALUE; {there}"
                raise UsageError(name, None, rule)

    def required(self, columns: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Returns the fields that a file with these columns must have.

        If its rows may be retractions, these are only the fields of a retraction. The others are then checked row by
        row.
        """
        may_retract = RETRACTED_FIELD in self.constants or self.column_of(RETRACTED_FIELD) in columns
        return retraction_fields(self.entry) if may_retract else required_fields(self.entry)


def kind_of(name: str) -> str:
    """Returns the kind that `name` is, or is the short form of. Raises UsageError for another name."""
    kind = ALIASES.get(name, name)
    if kind not in KINDS:
        raise UsageError("KIND", name, f"one of {', '.join((*KINDS, *ALIASES))}")
    return kind


def mapping_of(
    kind: str, maps: Iterable[str] = (), sets: Iterable[str] = (), map_values: Iterable[str] = (), zone: str = "UTC"
) -> FieldMapping:
    """Returns the mapping that a command's options describe.

    Raises UsageError with the option, its value and the rule, for an option that cannot be used.
    """
    entry = BY_KIND[kind_of(kind)]
    tz = zone_of(zone)
    columns = _pairs("--map", "field=column", maps, entry)
    constants = _pairs("--set", "field=value", sets, entry)
    for name, constant in constants.items():
        text = f"{name}={constant}"
        if name in columns:
            raise UsageError("--set", text, f"{name} is mapped to a column already")
        _check_constant(entry, name, constant, tz, option="--set", text=text)
    translations: dict[str, dict[str, str]] = {}
    for option in map_values:
        name, old, new = _translation(option, entry)
        if new:
            _check_constant(entry, name, new, tz, option="--map-value", text=option)
        if old in translations.setdefault(name, {}):
            raise UsageError("--map-value", option, f"{old!r} of {name} is translated twice")
        translations[name][old] = new
    return FieldMapping(kind=entry.kind, columns=columns, constants=constants, translations=translations, zone=tz)


def _pairs(option: str, form: str, texts: Iterable[str], entry: RecordType) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name or not value:
            raise UsageError(option, text, f"it must be written {option} {form}")
        _known(option, text, name, entry)
        if name in pairs:
            raise UsageError(option, text, f"{name} is given twice")
        pairs[name] = value
    return pairs


def _translation(option: str, entry: RecordType) -> tuple[str, str, str]:
    """Returns the parts of `field:from=to`, split at the last `=`. An empty part stands for a missing value."""
    name, colon, rest = option.partition(":")
    old, separator, new = rest.rpartition("=")
    if not colon or not separator or not name:
        raise UsageError("--map-value", option, "it must be written --map-value field:from=to")
    _known("--map-value", option, name, entry)
    return name, old, new


def _known(option: str, text: str, name: str, entry: RecordType) -> None:
    names = [found.name for found in msgspec.structs.fields(entry.data)]
    if name not in names:
        raise UsageError(option, text, f"{name!r} is no field of {entry.kind}; its fields are: {', '.join(names)}")


def _check_constant(entry: RecordType, name: str, value: str, zone: ZoneInfo, *, option: str, text: str) -> None:
    """Raises UsageError, with the option and its text, unless the field `name` can hold `value`."""
    kind = next(found.type for found in msgspec.structs.fields(entry.data) if found.name == name)
    try:
        if name == RETRACTED_FIELD:
            flag_of(name, value)
        elif name in fields_of(entry, DateText):
            parse_moment(date_converter(zone)(name, value) or "")
        else:
            msgspec.convert(value, kind)
    except RejectedRecord as error:
        raise UsageError(option, text, error.rule) from None
    except ValueError as error:  # a ValidationError of msgspec is one
        raise UsageError(option, text, str(error)) from None
