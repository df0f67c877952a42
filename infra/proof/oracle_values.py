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


def text_of(value: Any, least: int, most: int, forbidden: str) -> str:
    demand(isinstance(value, str), "no text")
    demand(least <= len(value) <= most, "too short or too long")
    demand(re.search(forbidden, value) is None, "forbidden character")
    return str(value)


def identifier(value: Any) -> str:
    return text_of(value, 1, 128, r"[\x00-\x1f\x7f-\x9f]")


def customer(value: Any) -> str:
    return text_of(value, 1, 128, r"[\x00-\x1f\x7f-\x9f/]")


def attribute(value: Any) -> str:
    return text_of(value, 1, 512, r"(?!)")


def moment(value: Any) -> When:
    demand(isinstance(value, str), "no text")
    return when(value)


def amount(value: Any) -> Decimal:
    demand(isinstance(value, str) and re.fullmatch(r"[0-9]{1,10}(\.[0-9]{1,2})?", value) is not None, "no amount")
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


def segment(value: Any) -> str | None:
    return None if value is None else text_of(value, 1, 64, r"[\x00-\x1f\x7f-\x9f]")


def source_row(value: Any) -> int | None:
    """Reads a whole number that is written without a point and without an exponent."""
    if value is None:
        return None
    demand(isinstance(value, Whole), "no whole number")
    demand(1 <= value < 2**31, "out of range")
    return int(value)


def anything(value: Any) -> Any:
    return value
