"""The rules of single values (R3), written a second time: each one reads a value of the wire, or raises Invalid."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple


class Whole(Decimal):
    """A number that is written without a point and without an exponent."""


class Invalid(Exception):
    """The record does not count, for this reason (R3)."""


def demand(condition: bool, reason: str) -> None:
    """Raises Invalid, with the reason, unless the condition holds."""
    if not condition:
        raise Invalid(reason)


class When(NamedTuple):
    """A date of the wire: its moment in UTC, and whether it is a plain date, whose moment is midnight."""

    at: datetime
    plain: bool

    @property
    def day(self) -> date:
        return self.at.date()


DATE = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?(?:([Zz])|([+-])([0-9]{2}):([0-9]{2})))?"
)


@lru_cache(maxsize=100_000)
def when(text: str) -> When:
    """Reads RFC 3339 with an offset, or a plain date, from 1970 to 2100 (UTC); drops digits below the microsecond."""
    found = DATE.fullmatch(text)
    if found is None:
        raise Invalid("no date")
    year, month, day, hour, minute, second, fraction, _, sign, hours, minutes = found.groups()
    demand(int(hours or 0) < 24 and int(minutes or 0) < 60, "no offset")
    ahead = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    micros = timedelta(microseconds=int((fraction or "0").ljust(6, "0")[:6]))
    try:
        start = datetime(int(year), int(month), int(day), tzinfo=timezone(ahead))
        clock = time(int(hour or 0), int(minute or 0), int(second or 0), tzinfo=timezone(ahead))
        utc = (datetime.combine(start, clock) + micros).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid(f"no date: {error}") from error
    demand(date(1970, 1, 1) <= utc.date() <= date(2100, 12, 31), "date out of range")
    return When(utc, plain=hour is None)


UNSEEN = frozenset(
    chr(code)
    for least, most in (
        (0x00, 0x1F), (0x7F, 0x9F),  # controls; the others are Default_Ignorable_Code_Point and U+2028, U+2029
        (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
        (0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
        (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
    )
    for code in range(least, most + 1)
)  # fmt: skip


def text_of(value: Any, most: int) -> str:
    demand(isinstance(value, str), "no text")
    demand(1 <= len(value) <= most, "too short or too long")
    demand(re.search("[\ud800-\udfff]", value) is None, "half of a surrogate pair")
    return str(value)


def visible(value: Any, most: int) -> str:
    """Reads a text that people can tell from every other."""
    text = text_of(value, most)
    demand(text == text.strip(), "white space at an end")
    demand(UNSEEN.isdisjoint(text), "an unseen character")
    return text


def identifier(value: Any) -> str:
    return visible(value, 128)


def customer(value: Any) -> str:
    text = visible(value, 128)
    demand("/" not in text and text not in {".", ".."}, "no part of a URL's path")
    return text


def erasable(value: Any) -> str:
    """Reads a customer's id as validation 2 did: records under such an id may have to be erased (R24)."""
    text = text_of(value, 128)
    demand(re.search(r"[\x00-\x1f\x7f-\x9f/]", text) is None, "a control character, or no part of a URL's path")
    return text


SELECTORS = frozenset(map(chr, range(0xFE00, 0xFE10)))
UNSEEN_IN_LABELS = UNSEEN - {"\u200c", "\u200d"} - SELECTORS


def label(value: Any, most: int) -> str:
    """Reads a text of any script, perhaps with emoji: one that is visible, but for what joins and selects glyphs."""
    text = text_of(value, most)
    shown = text[:-1] if len(text) > 1 and text[-1] in SELECTORS else text
    demand(shown == shown.strip(), "white space at an end")
    demand(UNSEEN.isdisjoint((shown[0], shown[-1])), "an unseen character at an end")
    demand(UNSEEN_IN_LABELS.isdisjoint(shown), "an unseen character")
    return text


def attribute(value: Any) -> str:
    return text_of(value, 512)


TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


def json_media_type(value: Any) -> str | None:
    """Reads type/subtype, perhaps with parameters, whose subtype is json or ends in +json."""
    if value is None:
        return None
    named, semicolon, parameters = text_of(value, 2**31).partition(";")
    kind, _, subtype = (named.rstrip(" \t") if semicolon else named).partition("/")
    demand(kind != "" and TOKEN.issuperset(kind + subtype), "no media type")
    prefix, plus, suffix = subtype.rpartition("+")
    demand(suffix.lower() == "json" and bool(prefix) == bool(plus), "no JSON")
    demand(all(character >= " " or character == "\t" for character in parameters), "a control character")
    demand("\x7f" not in parameters, "a control character")
    return str(value)


def moment(value: Any) -> When:
    demand(isinstance(value, str), "no text")
    return when(value)


def amount(value: Any) -> Decimal:
    demand(isinstance(value, str) and re.fullmatch(r"[0-9]{1,10}(\.[0-9]{1,2}0*)?", value) is not None, "no amount")
    return Decimal(value)


def currency_code(value: Any) -> str | None:
    demand(value is None or (isinstance(value, str) and re.fullmatch("[A-Z]{3}", value) is not None), "no currency")
    return value  # type: ignore[no-any-return] # the line above demands text or None


def one_of(*values: object) -> Any:
    """Returns the rule that a value must equal one of these, and be of its type."""

    def rule(value: Any) -> Any:
        demand(any(value == each and type(value) is type(each) for each in values), "none of the allowed values")
        return value

    return rule


def optional_moment(value: Any) -> When | None:
    return None if value is None else moment(value)


def birth_date(value: Any) -> date | None:
    """Reads a plain date from 1850 to 2100."""
    if value is None:
        return None
    demand(isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value) is not None, "no plain date")
    try:
        born = date(*map(int, value.split("-")))
    except ValueError as error:
        raise Invalid(f"no date: {error}") from error
    demand(date(1850, 1, 1) <= born <= date(2100, 12, 31), "date out of range")
    return born


def country(value: Any) -> str | None:
    demand(value is None or (isinstance(value, str) and re.fullmatch("[A-Z]{2}", value) is not None), "no country")
    return value  # type: ignore[no-any-return] # the line above demands text or None


def category(value: Any) -> str:
    return label(value, 128)


def segment(value: Any) -> str | None:
    return None if value is None else label(value, 64)


def source_row(value: Any) -> int | None:
    """Reads a whole number that is written without a point and without an exponent."""
    if value is None:
        return None
    demand(isinstance(value, Whole), "no whole number")
    demand(1 <= value < 2**31, "out of range")
    return int(value)


def anything(value: Any) -> Any:
    return value
