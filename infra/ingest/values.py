"""Converts a file's values to the wire's texts, without a float in between (R5)."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from common.errors import RejectedRecord, UsageError

_NAIVE: Final = re.compile(r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?$(?!\n)", re.ASCII)
_EXACT_FLOAT: Final = 2**53
_MOST_DIGITS: Final = 40
_FLAGS: Final = {"true": True, "1": True, "false": False, "0": False}

Convert = Callable[[str, object], str | None]
"""Returns the wire's text for a field's value, None for a missing one (null, empty text, NaN).

Raises RejectedRecord, with field, value and rule, for a value that cannot be converted.
"""


def zone_of(name: str) -> ZoneInfo:
    """Returns the IANA time zone `name`. Raises UsageError if there is none of that name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # an unknown zone is a KeyError, a folder of zones an OSError
        rule = "an IANA time zone, such as UTC or Europe/Berlin"
        raise UsageError("--timezone", name, rule) from None


def text_of(field: str, value: object) -> str | None:
    """A `Convert`: a text stays as it is, a number becomes its shortest decimal, without an exponent."""
    match value:
        case str():
            return _utf8(field, value) if value else None
        case bool():
            pass
        case int():
            return str(value) if abs(value) < 10**_MOST_DIGITS else _not_exact(field, value)
        case float():
            if abs(value) >= _EXACT_FLOAT:
                rule = "a float below 2^53, where it is exact; store larger numbers as texts or decimals"
                raise RejectedRecord(field, value, rule)
            return _decimal_text(field, Decimal(repr(value)))
        case Decimal():
            return _decimal_text(field, value)
        case date():
            return value.isoformat()
        case None:
            return None
    raise RejectedRecord(field, value, "a text, a number or a date")


def word_of(field: str, value: object) -> str | None:
    """A `Convert`: as `text_of`, but a boolean becomes the word true or false."""
    return str(value).lower() if isinstance(value, bool) else text_of(field, value)


def flag_of(field: str, value: object) -> bool:
    """Returns the boolean that `value` is or writes: true, false, 1 or 0. A missing value is false.

    Raises RejectedRecord for any other value.
    """
    try:
        return _FLAGS[(word_of(field, value) or "false").lower()]
    except (KeyError, RejectedRecord):
        rule = "true or false (or 1 or 0); --map-value translates other words"
        raise RejectedRecord(field, value, rule) from None


def plain_date(field: str, value: object) -> str | None:
    """A `Convert`: as `text_of`, but midnight without a zone, which is how pandas writes a date, becomes that day."""
    if isinstance(value, datetime) and value.tzinfo is None and value.time() == time.min:
        return value.date().isoformat()
    return text_of(field, value)


def date_converter(zone: ZoneInfo) -> Convert:
    """Returns the `Convert` for dates. A time without an offset is a time in `zone`; a plain date stays that UTC day.

    A time that the clocks of `zone` skipped is rejected. A time that they showed twice is taken as the first.
    """

    def convert(field: str, value: object) -> str | None:
        if isinstance(value, datetime):
            return _in_zone(field, value, value, zone) if value.tzinfo is None else _instant(value)
        text = text_of(field, value)
        if text is None or not _NAIVE.match(text):
            return text
        try:
            return _in_zone(field, text, datetime.fromisoformat(text.upper()), zone)
        except ValueError:
            return text  # no such day or time: validation rejects it

    return convert


def _in_zone(field: str, value: object, naive: datetime, zone: ZoneInfo) -> str:
    try:
        aware = naive.replace(tzinfo=zone).astimezone(UTC)
        skipped = aware.astimezone(zone).replace(tzinfo=None, fold=0) != naive.replace(fold=0)
    except OverflowError:
        return naive.isoformat() + "Z"  # year 1 or 9999: validation rejects it
    if skipped:
        raise RejectedRecord(field, value, f"a time that the clocks of {zone.key} showed; they skipped this one")
    return _instant(aware)


def _instant(aware: datetime) -> str:
    try:
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return aware.isoformat()


def _decimal_text(field: str, value: Decimal) -> str | None:
    if value.is_nan():
        return None
    if not value.is_finite() or abs(value.adjusted()) > _MOST_DIGITS:
        return _not_exact(field, value)
    text = format(value, "f")
    whole, _, decimals = text.partition(".")
    decimals = decimals.rstrip("0")
    return f"{whole}.{decimals}" if decimals else "0" if whole == "-0" else whole


def _utf8(field: str, value: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise RejectedRecord(field, value, "text in UTF-8") from None
    return value


def _not_exact(field: str, value: object) -> str:
    raise RejectedRecord(field, value, f"a number of at most {_MOST_DIGITS} digits")
