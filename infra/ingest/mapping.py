"""Reads the options that say which column each field comes from, and how its values are written and translated."""

from collections.abc import Iterable
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from common.algebra.dates import parse_moment
from common.algebra.payloads import PAYLOADS
from common.errors import RejectedRecord, UsageError
from common.log.texts import DateText
from common.log.wire import ALIASES, BY_KIND, RecordType
from infra.ingest.date_formats import ISO, DateFormat, date_format
from infra.ingest.dates import date_converter
from infra.ingest.field_mapping import FieldMapping, Habits
from infra.ingest.fields import RETRACTED_FIELD, date_fields, fields_of
from infra.ingest.values import flag_of, zone_of

KINDS: Final = tuple(PAYLOADS)


def kind_of(name: str) -> str:
    """Returns the kind that `name` is, or is the short form of. Raises UsageError for another name."""
    kind = ALIASES.get(name, name)
    if kind not in KINDS:
        raise UsageError("KIND", name, f"one of {', '.join((*KINDS, *ALIASES))}")
    return kind


def mapping_of(
    kind: str,
    maps: Iterable[str] = (),
    sets: Iterable[str] = (),
    map_values: Iterable[str] = (),
    *,
    zone: str = "UTC",
    date_formats: Iterable[str] = (),
    habits: Habits = Habits(),
) -> FieldMapping:
    """Returns the mapping that a command's options describe. Constants are written as on the wire.

    Raises UsageError with the option, its value and the rule, for an option that cannot be used.
    """
    entry = BY_KIND[kind_of(kind)]
    tz = zone_of(zone)
    columns = _pairs("--map", "field=column", maps, entry)
    constants = _pairs("--set", "field=value", sets, entry)
    formats = _formats(date_formats, entry)
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
    return FieldMapping(
        kind=entry.kind,
        columns=columns,
        constants=constants,
        translations=translations,
        zone=tz,
        date_formats=formats,
        habits=habits,
    )


def _formats(options: Iterable[str], entry: RecordType) -> dict[str, DateFormat]:
    """Returns the format of each date. A field's own format stands before that of all dates.

    Raises UsageError for a format that is none, and for two of the same field.
    """
    dates = date_fields(entry)
    found: dict[str, DateFormat] = {}
    for option in options:
        name, colon, own = option.partition(":")
        field, text = (name, own) if colon and name in dates else ("", option)
        if field in found:
            of = field or "all dates"
            raise UsageError("--date-format", option, f"the format of {of} is given twice")
        found[field] = date_format(text)
    of_all = found.pop("", ISO)
    return {field: found.get(field, of_all) for field in dates}


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
