"""From a record's bytes to its types: structure, nesting, and whether it takes its entity back (R3, R5b)."""

import operator
import re
from functools import reduce
from typing import Final

import msgspec

from common.errors import RejectedRecord
from common.log.entities import ErasureData
from common.log.rejection import rejection
from common.log.wire import RECORD_TYPES, RETRACTIONS, Record, RetractionRecord

MAX_DEPTH: Final = 100
"""A bound on nesting that does not depend on how deep the caller's stack already is."""

_RECORD: Final[msgspec.json.Decoder[Record]] = msgspec.json.Decoder(Record)
_RETRACTION: Final[msgspec.json.Decoder[RetractionRecord]] = msgspec.json.Decoder(
    reduce(operator.or_, RETRACTIONS.values())
)


def decode(value: bytes | None) -> Record | RetractionRecord:
    """The record in `value`. Raises RejectedRecord, which names the field, its value and the rule."""
    if not value:
        raise RejectedRecord("value", value, "a record has a value: a CloudEvents 1.0 JSON object")
    if value.count(b"[") + value.count(b"{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise RejectedRecord("value", value, f"brackets and braces nested at most {MAX_DEPTH} deep")
    try:
        text = value.decode()  # all of it is UTF-8, what the decoder skips too
        return _typed(text)
    except msgspec.ValidationError as error:
        raise rejection(str(error), value) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RejectedRecord("value", value, f"a JSON object in UTF-8: {error}") from None


def _typed(text: str) -> Record | RetractionRecord:
    """The record in full or, where it takes its entity back, what is read of it (R5b). Raises what msgspec raises."""
    try:
        record = _RECORD.decode(text)
    except msgspec.ValidationError:
        if not _takes_back(text):
            raise
        return _RETRACTION.decode(text)
    if not record.data.retracted:
        return record
    if isinstance(record.data, ErasureData):
        raise RejectedRecord("data.retracted", True, "an erasure is not retracted: send the customer's records again")
    return _RETRACTION.decode(text)


def _takes_back(text: str) -> bool:
    """Whether the record says `retracted: true`, whatever else is wrong with it."""
    content = msgspec.json.decode(text)
    data = content.get("data") if isinstance(content, dict) else None
    is_taken_back = isinstance(data, dict) and data.get("retracted") is True
    return is_taken_back and isinstance(content.get("type"), str) and content["type"] in _RETRACTABLE


_RETRACTABLE: Final = frozenset(entry.type for entry in RECORD_TYPES.values() if entry.can_be_retracted)
_OUTSIDE_STRINGS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


def _depth(value: bytes) -> int:
    """How deep brackets and braces are nested, outside of strings."""
    depth = deepest = 0
    for bracket in re.findall(rb"[\[\]{}]", _OUTSIDE_STRINGS.sub(b"", value)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest
