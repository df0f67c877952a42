"""Dates on the wire: RFC 3339 with an offset, or a plain date, which is that UTC day."""

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

_TIME: Final = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?"
_OFFSET: Final = r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
DATE_PATTERN: Final = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([Tt ]{_TIME}{_OFFSET})?$(?!\n)"
DATE_RULE: Final = "RFC 3339 with an offset, or a plain date (that UTC day), from 1970-01-01 to 2100-12-31 UTC"
MICROS_PER_DAY: Final = 86_400_000_000
MICROS_PER_HOUR: Final = 3_600_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DATE: Final = date(1970, 1, 1)
_END: Final = (date(2101, 1, 1) - _EPOCH_DATE).days * MICROS_PER_DAY
_DATE: Final = re.compile(DATE_PATTERN)

PLAIN_DATE_PATTERN: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$(?!\n)"
BIRTH_DATE_RULE: Final = "a plain date from 1850-01-01 to 2100-12-31"
_FIRST_BIRTH: Final = date(1850, 1, 1)
_LAST_BIRTH: Final = date(2100, 12, 31)


class Moment(NamedTuple):
    """A date as read: microseconds since the epoch (UTC), and whether the text was a plain date (then of midnight)."""

    micros: int
    plain: bool

    @property
    def day(self) -> int:
        return self.micros // MICROS_PER_DAY


def parse_moment(text: str) -> Moment:
    """Returns the moment that `text` names; digits below the microsecond are dropped.

    Raises ValueError, whose text is `DATE_RULE`.
    """
    if not _DATE.match(text):
        raise ValueError(DATE_RULE)
    return moment_of(text)


@lru_cache(maxsize=1024)  # a record names the same moment up to three times
def moment_of(text: str) -> Moment:
    """Returns and raises what `parse_moment` does. `text` must match `DATE_PATTERN`, which is not checked here."""
    plain = len(text) == 10
    try:
        micros = day_of(date.fromisoformat(text)) * MICROS_PER_DAY if plain else _micros_of(text)
    except ValueError as error:
        raise ValueError(DATE_RULE) from error
    if not 0 <= micros < _END:
        raise ValueError(DATE_RULE)
    return Moment(micros, plain)


def birth_micros(text: str) -> int:
    """Returns the microseconds from the epoch to midnight (UTC) of a birth date; negative before 1970.

    `text` must match `PLAIN_DATE_PATTERN`, which is not checked here. Raises ValueError, whose text is
    `BIRTH_DATE_RULE`.
    """
    try:
        born = date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(BIRTH_DATE_RULE) from error
    if not _FIRST_BIRTH <= born <= _LAST_BIRTH:
        raise ValueError(BIRTH_DATE_RULE)
    return day_of(born) * MICROS_PER_DAY


def _micros_of(text: str) -> int:
    return micros_of(datetime.fromisoformat(text.upper()))


def micros_of(when: datetime) -> int:
    """Returns the microseconds from the epoch to an aware datetime, exactly."""
    since = when - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def datetime_of(micros: int) -> datetime:
    """Inverse of `micros_of`, in UTC."""
    return _EPOCH + timedelta(microseconds=micros)


def day_of(day: date) -> int:
    """Returns the days from 1970-01-01 to `day`."""
    return (day - _EPOCH_DATE).days


@lru_cache(maxsize=10_000)
def iso_of(day: int) -> str:
    """Returns a day (days since 1970-01-01) as `YYYY-MM-DD`. Most days that are asked for are of a few years."""
    return date_of(day).isoformat()


def date_of(day: int) -> date:
    """Inverse of `day_of`."""
    return _EPOCH_DATE + timedelta(days=day)
