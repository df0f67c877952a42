"""Finds a customer's id in records and in texts of any kind: log lines, URLs, JSON, sentences. Pure (R24)."""

import json
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import quote

import msgspec

_SHORT_NUMBER: Final = re.compile(r"[0-9]{1,3}")
"""Ids that a text holds everywhere as a number: they count only where the text shows that a customer is meant."""
_WORD: Final = rb"[0-9A-Za-z_\x80-\xff]"

_ENVELOPE: Final = msgspec.json.Decoder(dict[str, object])


def customers_named(key: bytes | None, value: bytes | None) -> frozenset[str] | None:
    """Returns the customers that a record names by key, `subject` and `data.customer_id`, valid or not.

    Returns None if the value is no JSON object, so that only a search through its bytes can tell.
    """
    named = set() if key is None else {key.decode("utf-8", "surrogateescape")}
    try:
        envelope = _ENVELOPE.decode(value or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    data = envelope.get("data")
    found = (envelope.get("subject"), data.get("customer_id") if isinstance(data, dict) else None)
    return frozenset(named | {each for each in found if isinstance(each, str)})


def record_names(customer_id: str, key: bytes | None, value: bytes | None) -> bool:
    """Returns whether a record is about the customer: see `customers_named`; of broken JSON, whether it mentions it."""
    named = customers_named(key, value)
    if named is not None:
        return customer_id in named
    is_key = key is not None and key.decode("utf-8", "surrogateescape") == customer_id
    return is_key or mentions(value or b"", customer_id)


def mentions(text: bytes, customer_id: str) -> bool:
    """Returns whether `text` holds the id as a word of its own, in any of its spellings (see `spellings`)."""
    return _pattern(customer_id).search(text) is not None


def finder(customers: Iterable[str]) -> Callable[[bytes], bool]:
    """Returns a function that tells whether a text mentions any of the customers."""
    patterns = [_pattern(customer_id).pattern for customer_id in customers]
    pattern = re.compile(b"|".join(b"(?:%b)" % each for each in patterns) or b"(?!)")
    return lambda text: pattern.search(text) is not None


def without(text: str, customer_id: str, instead: str) -> str:
    """Returns the text with `instead` in the place of each mention of the id."""
    found = _pattern(customer_id).sub(instead.encode(), text.encode("utf-8", "surrogatepass"))
    return found.decode("utf-8", "surrogatepass")


def spellings(customer_id: str) -> frozenset[bytes]:
    """Returns the id as UTF-8, as the inside of a JSON string, with and without escapes, and quoted for a URL."""
    inside = {json.dumps(customer_id)[1:-1], json.dumps(customer_id, ensure_ascii=False)[1:-1], repr(customer_id)[1:-1]}
    urls = {quote(customer_id, safe=""), quote(customer_id), quote(customer_id, safe="/:@!$&'()*+,;=~")}
    return frozenset(text.encode("utf-8", "surrogatepass") for text in {customer_id, *inside, *urls})


@lru_cache(maxsize=10_000)
def _pattern(customer_id: str) -> re.Pattern[bytes]:
    alternatives = b"|".join(re.escape(each) for each in sorted(spellings(customer_id), key=len, reverse=True))
    if _SHORT_NUMBER.fullmatch(customer_id):
        return re.compile(
            rb"(?<=[\"'])(?:%b)(?=[\"'])|(?<=customers/)(?:%b)(?!%b)" % (alternatives, alternatives, _WORD)
        )
    return re.compile(rb"(?<!%b)(?:%b)(?!%b)" % (_WORD, alternatives, _WORD))
