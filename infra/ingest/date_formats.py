"""The ways in which a file may write its dates: the spellings of ISO 8601, and the formats that an option names (R5).

A spelling that names one moment is taken. One that could name two stays as it is, and validation rejects it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from common.algebra.dates import DATE_PATTERN, datetime_of
from common.errors import UsageError

_WIRE: Final = re.compile(DATE_PATTERN)
_CLOCK: Final = r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?"
_OFFSET: Final = r" ?(?:(?P<utc>[Zz]|UTC|GMT)|(?P<sign>[+-])(?P<hours>\d\d)(?::?(?P<minutes>\d\d))?)(?:\[[\w/+-]+\])?"
_SPELLINGS: Final = (
    re.compile(rf"(?P<year>\d{{4}})-(?P<month>\d\d)-(?P<day>\d\d)(?:[Tt]| +){_CLOCK}(?:{_OFFSET})?", re.ASCII),
    re.compile(
        r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)[Tt]"
        rf"(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?(?:{_OFFSET})?",
        re.ASCII,
    ),
)
"""Postgres writes `+00`, BigQuery ` UTC`, Shopify ` -0500`, Java no seconds, Log4j `,250`."""
_WRITTEN: Final = rf"(?:[Tt]| +){_CLOCK}(?:{_OFFSET})?"
_NAMES_UTC: Final = re.compile(r"\b(UTC|GMT)\b", re.IGNORECASE)
_NUMBER: Final = re.compile(r"-?\d{1,20}(\.\d{1,20})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class DateFormat:
    """How the texts of a date are written. `read` returns a wire's text, or a datetime without zone; None: not so."""

    name: str
    rule: str
    read: Callable[[str], str | datetime | None]


def _iso(text: str) -> str | datetime | None:
    if len(text) == len("2026-03-01") or _WIRE.match(text):
        return text
    for spelling in _SPELLINGS:
        found = spelling.fullmatch(text)
        if found is not None:
            return _moment(found) or text  # no such day or time: validation rejects the text
    return text


def _moment(found: re.Match[str]) -> str | datetime | None:
    """Returns the moment of a match, with its offset if it has one; None if there is no such day or time."""
    part = found.groupdict()
    fraction = (part["fraction"] or "")[:6]  # what is below the microsecond is dropped, as validation does
    try:
        naive = datetime(  # noqa: DTZ001 # its zone is added by the caller, or its offset below
            int(part["year"]),
            int(part["month"]),
            int(part["day"]),
            int(part["hour"] or 0),
            int(part["minute"] or 0),
            int(part["second"] or 0),
            int(fraction.ljust(6, "0")),
        )
    except ValueError:
        return None
    if part["utc"] is None and part["sign"] is None:
        return naive
    offset = "Z" if part["utc"] else f"{part['sign']}{part['hours']}:{part['minutes'] or '00'}"
    return f"{naive.isoformat()}{offset}"


def _with_day_and_month(order: str) -> Callable[[str], str | datetime | None]:
    first, second = order.split("-")
    spelling = re.compile(
        rf"(?P<{first}>\d{{1,2}})(?P<between>[./-])(?P<{second}>\d{{1,2}})(?P=between)(?P<year>\d{{4}})(?:{_WRITTEN})?",
        re.ASCII,
    )

    def read(text: str) -> str | datetime | None:
        found = spelling.fullmatch(text)
        if found is None:
            return _iso(text)
        if found["hour"] is not None:
            return _moment(found)
        try:
            return date(int(found["year"]), int(found["month"]), int(found["day"])).isoformat()
        except ValueError:
            return None

    return read


def _since_epoch(units_per_second: int) -> Callable[[str], str | None]:
    def read(text: str) -> str | None:
        if not _NUMBER.fullmatch(text):
            return None
        try:
            micros = int(Decimal(text) * 1_000_000 // units_per_second)
            return instant(datetime_of(micros))
        except (InvalidOperation, OverflowError):
            return text  # a moment that no calendar here holds: validation rejects it

    return read


def _strptime(form: str) -> Callable[[str], str | datetime | None]:
    names_zone = "%Z" in form
    has_time = re.search(r"%[HIMSfpcX]", form) is not None

    def read(text: str) -> str | datetime | None:
        try:
            when = datetime.strptime(text, form)  # noqa: DTZ007 # the caller adds the zone
        except ValueError:
            return None
        if names_zone and not _NAMES_UTC.search(text):
            return None  # strptime takes the machine's own zone, too, and drops it
        if when.tzinfo is not None or names_zone:
            return instant(when if when.tzinfo is not None else when.replace(tzinfo=UTC))
        return when if has_time else when.date().isoformat()

    return read


ISO: Final = DateFormat("iso", "a date as ISO 8601 writes it", _iso)
_NAMED: Final = {
    form.name: form
    for form in (
        ISO,
        DateFormat(
            "day-first", "a date written as 31/12/2026 (day first), or as ISO 8601", _with_day_and_month("day-month")
        ),
        DateFormat(
            "month-first",
            "a date written as 12/31/2026 (month first), or as ISO 8601",
            _with_day_and_month("month-day"),
        ),
        DateFormat("epoch-seconds", "seconds since 1970-01-01 UTC, a number", _since_epoch(1)),
        DateFormat("epoch-milliseconds", "milliseconds since 1970-01-01 UTC, a number", _since_epoch(1_000)),
    )
}
FORMAT_NAMES: Final = tuple(_NAMED)


def date_format(text: str) -> DateFormat:
    """Returns the format that an option names: one of FORMAT_NAMES, or a pattern of strptime with year, month and day.

    Raises UsageError for any other text.
    """
    if text in _NAMED:
        return _NAMED[text]
    rule = f"one of {', '.join(FORMAT_NAMES)}, or a pattern of strptime with year, month and day, such as %d.%m.%Y"
    if "%" not in text:
        raise UsageError("--date-format", text, rule)
    sample = datetime(2024, 11, 23, tzinfo=UTC)
    try:
        back = datetime.strptime(sample.strftime(text), text)  # noqa: DTZ007 # only its day is looked at
    except ValueError as error:
        raise UsageError("--date-format", text, f"{rule} ({error})") from None
    if back.date() != sample.date():
        raise UsageError("--date-format", text, rule)
    return DateFormat(text, f"a date written as {sample.strftime(text)} (--date-format {text})", _strptime(text))


def instant(aware: datetime) -> str:
    """Returns the wire's text of a moment, in UTC."""
    try:
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return aware.isoformat()
