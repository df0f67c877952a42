"""Checks the inputs of a request. A customer's id follows the rule of records (R3): no record could hold another."""

import re
from datetime import date
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec

from common.log.texts import CustomerIdText
from serving_layer.problems import InvalidRequest

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_DAY_RULE: Final = "a day as YYYY-MM-DD"
_ID_RULE: Final = "1 to 128 characters, no control character, no '/'"


def checked_customer_id(text: str, field: str = "customer_id") -> str:
    """Returns `text`. Raises InvalidRequest if it cannot be a customer's id."""
    try:
        text.encode()  # JSON can spell a lone surrogate, which no key in the log can hold
        return msgspec.convert(text, CustomerIdText)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise InvalidRequest(field, text, _ID_RULE) from error


def checked_path(raw_path: bytes) -> None:
    """Raises InvalidRequest for the customer's id, unless the percent-encoded path that holds it is UTF-8."""
    # The framework replaces bytes that are not UTF-8: the id would then name another customer.
    try:
        unquote_to_bytes(raw_path).decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest("customer_id", raw_path.decode("ascii", "replace"), "percent-encoded UTF-8") from error


def checked_as_of(text: str | None, today: date) -> date:
    """Returns the day that `text` names, or `today` if it is None.

    Raises InvalidRequest if `text` is not a date as YYYY-MM-DD, or names a day after `today`.
    """
    if text is None:
        return today
    try:
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        raise InvalidRequest("as_of", text, _DAY_RULE)
    if day > today:
        raise InvalidRequest("as_of", text, f"not later than the server's day (UTC), {today.isoformat()}")
    return day
