"""Decoding: from a record's bytes to its type, with checks of nesting, structure and retraction (R3, R5b)."""

import operator
import re
from functools import reduce
from typing import Final

import msgspec

from common.errors import RejectedRecord
from common.log import surrogates
from common.log.entities import ErasureData
from common.log.rejection import foreign, members, no_json, rejection, value_of
from common.log.wire import RECORD_TYPES, RETRACTIONS, Record, RetractionRecord

MAX_DEPTH: Final = 100
"""How deep a record may be nested. The decoder's own limit depends on the depth of the caller's stack (ADR 7)."""

_RECORD: Final[msgspec.json.Decoder[Record]] = msgspec.json.Decoder(Record)
_RETRACTION: Final[msgspec.json.Decoder[RetractionRecord]] = msgspec.json.Decoder(
    reduce(operator.or_, RETRACTIONS.values())
)


def decode(value: bytes | None) -> Record | RetractionRecord:
    """Returns the record in `value`. Raises RejectedRecord, which names the field, its value and the rule.

    A lone surrogate in a field that is not read rejects no record.
    """
    if not value:
        raise RejectedRecord("value", value, "a record has a value: a CloudEvents 1.0 JSON object")
    if value.count(b"[") + value.count(b"{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        rule = f"brackets and braces nested at most {MAX_DEPTH} deep"
        raise RejectedRecord("value", value, foreign(value) or rule)
    try:
        text = value.decode()  # the whole value must be UTF-8, also the fields that the decoder skips
        return _typed(text)
    except msgspec.DecodeError as error:
        texts = surrogates.readings(text)
        if texts is None:
            raise no_json(value, error) from None
    except UnicodeDecodeError as error:
        raise no_json(value, error) from None
    return _read_twice(*texts, value)


def _read_twice(one: str, other: str, value: bytes) -> Record | RetractionRecord:
    """The record in the two readings of `value`. Raises RejectedRecord if they differ, or are rejected."""
    first = _outcome(one, value)
    second = _outcome(other, value)
    if isinstance(first, RejectedRecord):  # so is the second: whatever stands in the place breaks the rule
        quoted = surrogates.restored(first.value, getattr(second, "value", None))
        raise RejectedRecord(first.field, quoted, first.rule)
    found = surrogates.difference(msgspec.to_builtins(first), msgspec.to_builtins(second))
    if found is not None:
        raise RejectedRecord(".".join(found.path), found.value, surrogates.RULE)
    return first


def _outcome(text: str, value: bytes) -> Record | RetractionRecord | RejectedRecord:
    try:
        return _typed(text)
    except RejectedRecord as rejected:
        return rejected
    except msgspec.DecodeError as error:
        return no_json(value, error)


def _typed(text: str) -> Record | RetractionRecord:
    """The record in full or, where it is a retraction, the few fields that are read then (R5b).

    Raises RejectedRecord, and msgspec.DecodeError where `text` is not JSON as the decoder takes it.
    """
    try:
        try:
            record = _RECORD.decode(text)
        except msgspec.ValidationError:
            if not _is_retraction(text):
                raise
            return _RETRACTION.decode(text)
        if not record.data.retracted:
            return record
        if isinstance(record.data, ErasureData):
            rule = "an erasure is not retracted: send the customer's records again"
            raise RejectedRecord("data.retracted", True, rule)
        return _RETRACTION.decode(text)
    except msgspec.ValidationError as error:
        raise rejection(str(error), text) from None


def _is_retraction(text: str) -> bool:
    """Whether the record has `retracted: true` and a type that may have it, whatever else is wrong with it.

    Raises msgspec.DecodeError where `text` is not JSON, also behind what `_typed` met first.
    """
    envelope = members(text)
    if "type" not in envelope or "data" not in envelope:
        return False
    stated = members(envelope["data"]).get("retracted")
    if stated is None or value_of(stated) is not True:
        return False
    type_ = value_of(envelope["type"])
    return isinstance(type_, str) and type_ in _RETRACTABLE


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
