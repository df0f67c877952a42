"""Converts a file's values to the wire's texts, without a float in between (R5)."""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Final, Literal
from zoneinfo import ZoneInfo

from common.errors import RejectedRecord, UsageError

_COMMA_AMOUNT: Final = re.compile(r"\d+(,\d+)?", re.ASCII)
_BLANK: Final = r"\s\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
_AROUND: Final = re.compile(f"^[{_BLANK}]+|[{_BLANK}]+$")
"""White space, and what takes no room; a variation selector at the end belongs to its emoji."""
_FLOAT_TEXT: Final = re.compile(r"-?\d+\.0+", re.ASCII)
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
    if isinstance(value, str | bytes):
        return _utf8(field, value)
    match value:
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
    raise RejectedRecord(field, value, "a text, a number or a date (--map-value translates true and false)")


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


def trimmed(field: str, value: str | bytes) -> str:
    """Returns the text without white space and invisible characters around it."""
    return _AROUND.sub("", text_of(field, value) or "")


FloatIds = Literal["reject", "whole", "keep"]
"""What becomes of an id such as 917850.0, which was a whole number before a program made its column floats."""
_FLOAT_ID_RULE: Final = (
    "an id that is no float; --float-ids whole reads 917850.0 as 917850 (in pandas: astype('Int64') before saving), "
    "--float-ids keep leaves it as it is"
)


def id_converter(treatment: FloatIds, *, float_column: bool) -> Convert:
    """Returns the `Convert` for ids. `float_column` says that the file declares the column's type a float.

    A float is a value of such a column, a JSON number with a decimal point or an exponent, and a text such as 917850.0.
    """

    def convert(field: str, value: object) -> str | None:
        text = text_of(field, value)
        if text is None or treatment == "keep":
            return text
        written = text.endswith("0") and isinstance(value, str | bytes) and _FLOAT_TEXT.fullmatch(text)
        if not (float_column or written or (isinstance(value, Decimal) and value.as_tuple().exponent != 0)):
            return text
        whole, _, decimals = text.partition(".")
        if treatment == "reject" or decimals.strip("0"):
            rule = _FLOAT_ID_RULE if treatment == "reject" else "an id that is a whole number"
            raise RejectedRecord(field, value, rule)
        return whole

    return convert


def comma_amount(field: str, value: object) -> str | None:
    """A `Convert` for amounts whose texts have a decimal comma; a number stays what it is."""
    text = text_of(field, value)
    if text is None or not isinstance(value, str | bytes):
        return text
    if not _COMMA_AMOUNT.fullmatch(text):
        raise RejectedRecord(field, value, "an amount with a decimal comma and no other separator, such as 1234,50")
    return text.replace(",", ".")


def _decimal_text(field: str, value: Decimal) -> str | None:
    if value.is_nan():
        return None
    if not value.is_finite() or abs(value.adjusted()) > _MOST_DIGITS:
        return _not_exact(field, value)
    text = format(value, "f")
    whole, _, decimals = text.partition(".")
    decimals = decimals.rstrip("0")
    return f"{whole}.{decimals}" if decimals else "0" if whole == "-0" else whole


def _utf8(field: str, value: str | bytes) -> str | None:
    text = value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise RejectedRecord(field, value, "text in UTF-8") from None
    return text or None


def _not_exact(field: str, value: object) -> str:
    raise RejectedRecord(field, value, f"a number of at most {_MOST_DIGITS} digits")
