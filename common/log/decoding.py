"""Decoding: from a record's bytes to its type, with checks of nesting, structure and retraction (R3, R5b)."""

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
"""How deep a record may be nested. The decoder's own limit depends on the depth of the caller's stack (ADR 7)."""

_RECORD: Final[msgspec.json.Decoder[Record]] = msgspec.json.Decoder(Record)
_RETRACTION: Final[msgspec.json.Decoder[RetractionRecord]] = msgspec.json.Decoder(
    reduce(operator.or_, RETRACTIONS.values())
)


def decode(value: bytes | None) -> Record | RetractionRecord:
    """Returns the record in `value`. Raises RejectedRecord, which names the field, its value and the rule."""
    if not value:
        raise RejectedRecord("value", value, "a record has a value: a CloudEvents 1.0 JSON object")
    if value.count(b"[") + value.count(b"{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise RejectedRecord("value", value, f"brackets and braces nested at most {MAX_DEPTH} deep")
    try:
        text = value.decode()  # the whole value must be UTF-8, also the fields that the decoder skips
        return _typed(text)
    except msgspec.ValidationError as error:
        raise rejection(str(error), value) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RejectedRecord("value", value, f"a JSON object in UTF-8: {error}") from None


def _typed(text: str) -> Record | RetractionRecord:
    """The record in full or, where it is a retraction, the few fields that are read then (R5b).

    Raises RejectedRecord for a retracted erasure, and what msgspec raises.
    """
    try:
        record = _RECORD.decode(text)
    except msgspec.ValidationError:
        if not _is_retraction(text):
            raise
        return _RETRACTION.decode(text)
    if not record.data.retracted:
        return record
    if isinstance(record.data, ErasureData):
        raise RejectedRecord("data.retracted", True, "an erasure is not retracted: send the customer's records again")
    return _RETRACTION.decode(text)


def _is_retraction(text: str) -> bool:
    """Whether the record has `retracted: true` and a type that may have it, whatever else is wrong with it."""
    content = msgspec.json.decode(text)
    data = content.get("data") if isinstance(content, dict) else None
    if not isinstance(data, dict) or data.get("retracted") is not True:
        return False
    return isinstance(content.get("type"), str) and content["type"] in _RETRACTABLE


_RETRACTABLE: Final = frozenset(entry.type for entry in RECORD_TYPES.values() if entry.can_be_retracted)
_STRINGS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


def _depth(value: bytes) -> int:
    """How deep brackets and braces are nested, outside of strings."""
    depth = 0
    deepest = 0
    for bracket in re.findall(rb"[\[\]{}]", _STRINGS.sub(b"", value)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest
