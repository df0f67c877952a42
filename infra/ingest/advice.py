"""Advises how to mend what the rows of a file were rejected for. Knows the options of an import, and reads no file."""

import re
from datetime import datetime
from typing import Final

from common.log.texts import AmountText
from common.log.wire import RecordType
from infra.ingest.fields import choice_fields, date_fields, fields_of

_DAY_AND_MONTH: Final = re.compile(r"\d{1,2}([./-])\d{1,2}\1\d{4}\b.*", re.ASCII)
_YEAR_FIRST: Final = re.compile(r"\d{4}-\d\d-\d\d.*", re.ASCII)
_ZERO_DATE: Final = re.compile(r"0000-00-00.*", re.ASCII)
_PATTERNS: Final = tuple(
    f"{day}{clock}"
    for day in ("%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%Y/%m/%d", "%Y.%m.%d", "%a, %d %b %Y")
    for clock in ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " %H:%M:%S %Z", " %H:%M:%S %z")
)
"""Ways to write a date that can be read in one way only: with the month's name, or with the year first."""
_COMMA: Final = re.compile(r"\d+,\d+", re.ASCII)
_PLAIN_NUMBER: Final = re.compile(r"\d+(\.\d*)?", re.ASCII)
_SECONDS_DIGITS: Final = range(9, 11)
_MILLISECONDS_DIGITS: Final = range(12, 14)
_UNDECODED: Final = re.compile("[\ud800-\udfff]")


def advice(entry: RecordType, field: str, value: object) -> str | None:
    """Returns what to do about a value that a rule of `field` rejected; None where the rule itself says it."""
    text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else "" if value is None else str(value)
    if not text and field.endswith("_id"):
        return None
    if not text:
        kind = entry.kind.replace("_", " ")
        return f"--map-value {field}:=VALUE, if a missing one means something; a row that is no {kind} may stay out"
    if _UNDECODED.search(text):
        return "name the file's encoding, such as --encoding cp1252"
    if text != text.strip():
        return "--trim takes white space off the ends"
    return _of_text(entry, field, text)


def _of_text(entry: RecordType, field: str, text: str) -> str | None:
    if field in date_fields(entry):
        return _of_date(field, text)
    if field in fields_of(entry, AmountText):
        return _of_amount(text)
    if field == "currency" and text.upper() != text:
        return f"--map-value currency:{text}={text.upper()}"
    if field in choice_fields(entry):
        return f"--map-value {field}:{text}=WORD, and so for every other value, where WORD is what it means here"
    return None


def _of_date(field: str, text: str) -> str | None:
    digits = len(text.partition(".")[0]) if text.replace(".", "", 1).isdecimal() else 0
    if digits in _SECONDS_DIGITS:
        return f"--date-format {field}:epoch-seconds, if it counts the seconds since 1970"
    if digits in _MILLISECONDS_DIGITS:
        return f"--date-format {field}:epoch-milliseconds, if it counts the milliseconds since 1970"
    if _DAY_AND_MONTH.fullmatch(text):
        return f"--date-format {field}:day-first or {field}:month-first, whichever the file means"
    if _ZERO_DATE.fullmatch(text):
        return f"--map-value '{field}:{text}=', if it stands for a date that is not known"
    return None if _YEAR_FIRST.fullmatch(text) or "since 1970" in text else _pattern(field, text)


def _pattern(field: str, text: str) -> str:
    pattern = next((each for each in _PATTERNS if _fits(each, text)), None)
    if pattern is not None:
        return f"--date-format {field}:'{pattern}'"
    return f"--date-format {field}:PATTERN, with a pattern of strptime such as '%d %B %Y', if the file writes dates so"


def _fits(pattern: str, text: str) -> bool:
    try:
        datetime.strptime(text, pattern)  # noqa: DTZ007 # only whether it fits is asked
    except ValueError:
        return False
    return True


def _of_amount(text: str) -> str | None:
    if text.startswith(("-", "(")):
        return "an amount is 0 or more: what was paid back is a refund (`lambda360 import refund`) of a positive amount"
    if _COMMA.fullmatch(text):
        return "--decimal-comma, if the comma stands before the cents"
    if _PLAIN_NUMBER.fullmatch(text):
        return None
    return "an amount is a number alone, such as 1234.50: no currency, no separator of thousands, no exponent"
