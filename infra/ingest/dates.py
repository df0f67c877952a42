"""Converts a file's dates to the wire's texts (R5)."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from common.errors import RejectedRecord
from infra.ingest.date_formats import ISO, DateFormat, instant
from infra.ingest.values import Convert, text_of


def date_converter(zone: ZoneInfo, form: DateFormat = ISO) -> Convert:
    """Returns the `Convert` for dates. A time without an offset is a time in `zone`; a plain date stays that UTC day.

    A time that the clocks of `zone` skipped is rejected. A time that they showed twice is taken as the first. A value
    of a typed column (Parquet's dates and times) is what its type says, whatever `form` is.
    """

    def convert(field: str, value: object) -> str | None:
        if isinstance(value, datetime):
            return _in_zone(field, value, value, zone) if value.tzinfo is None else instant(value)
        text = text_of(field, value)
        if text is None or isinstance(value, date):
            return text
        found = form.read(text)
        if isinstance(found, datetime):
            return _in_zone(field, text, found, zone)
        if found is None:
            raise RejectedRecord(field, value, form.rule)
        return found

    return convert


def day_converter(form: DateFormat = ISO) -> Convert:
    """Returns the `Convert` for plain dates. Midnight without a zone is that day: pandas writes dates so."""

    def convert(field: str, value: object) -> str | None:
        if isinstance(value, datetime):
            midnight = value.tzinfo is None and value.time() == time.min
            return value.date().isoformat() if midnight else value.isoformat()
        text = text_of(field, value)
        if text is None or form is ISO or isinstance(value, date):
            return text
        found = form.read(text)
        if found is None:
            raise RejectedRecord(field, value, form.rule)
        return found if isinstance(found, str) else found.isoformat()

    return convert


def _in_zone(field: str, value: object, naive: datetime, zone: ZoneInfo) -> str:
    if zone.key == "UTC":  # whose clocks never change
        return f"{naive.isoformat()}Z"
    try:
        aware = naive.replace(tzinfo=zone).astimezone(UTC)
        skipped = aware.astimezone(zone).replace(tzinfo=None, fold=0) != naive.replace(fold=0)
    except OverflowError:
        return naive.isoformat() + "Z"  # year 1 or 9999: validation rejects it
    if skipped:
        raise RejectedRecord(field, value, f"a time that the clocks of {zone.key} showed; they skipped this one")
    return instant(aware)
