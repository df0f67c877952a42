"""The profile: what a customer is, as its row in a CRM states it. A register, not a sum (R5a). Pure: knows no clock."""

from datetime import date

import msgspec

from common.algebra.dates import MICROS_PER_DAY, date_of, iso_of

KIND = "customer_profile"
"""The one kind whose entity is the customer."""


class CustomerProfile(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag=KIND):
    """A profile's content, normalized: dates in microseconds (UTC), a birth date's midnight negative before 1970."""

    signed_up_date: int | None
    birth_date: int | None
    country: str | None
    segment: str | None


def age_years(profile: CustomerProfile | None, as_of: date) -> int | None:
    """Returns the full years from the birth date to `as_of`; None without that date, or where `as_of` is before it.

    In years without a 29 February, who was born on one completes a year on 1 March.
    """
    if profile is None or profile.birth_date is None:
        return None
    born = date_of(profile.birth_date // MICROS_PER_DAY)
    if as_of < born:
        return None
    return as_of.year - born.year - ((as_of.month, as_of.day) < (born.month, born.day))


def tenure_days(profile: CustomerProfile | None, as_of: date) -> int | None:
    """Returns the days from the day of signing up to `as_of`; None without that day, or where `as_of` is before it."""
    if profile is None or profile.signed_up_date is None:
        return None
    days = (as_of - date_of(profile.signed_up_date // MICROS_PER_DAY)).days
    return days if days >= 0 else None


def present_profile(profile: CustomerProfile | None) -> dict[str, str | None] | None:
    """Returns the profile as an answer gives it, with dates as ISO days (UTC); None without a profile."""
    if profile is None:
        return None
    return {
        "signed_up_date": _day(profile.signed_up_date),
        "birth_date": _day(profile.birth_date),
        "country": profile.country,
        "segment": profile.segment,
    }


def _day(micros: int | None) -> str | None:
    return None if micros is None else iso_of(micros // MICROS_PER_DAY)
