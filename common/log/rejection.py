"""Rejections of structure: translates the decoder's message into field, value and rule (R3)."""

import json
import re
from collections.abc import Iterable
from functools import cache
from typing import Final

import msgspec

from common.errors import RejectedRecord
from common.log.wire import RECORD_TYPES

_PATH: Final = re.compile(r" - at `\$\.?(.*?)`$")
_MISSING: Final = re.compile(r"missing required field `(.+?)`")
_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ANYTHING: Final = msgspec.json.Decoder(msgspec.Raw)
_STARTS: Final = {
    b"\x1f\x8b": "compressed with gzip",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"\xef\xbb\xbf": "JSON behind a byte order mark",
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"{\x00\x00\x00": "UTF-32",
    b"{\x00": "UTF-16",
    b"\x00\x00\x00{\x00\x00\x00": "UTF-32",
    b"\x00{": "UTF-16",
    b"\x00": "framed for a schema registry, as Avro and Protobuf are (byte 0 comes first)",
}
"""How values of other formats begin, the longer of two like starts first."""


def rejection(message: str, text: str) -> RejectedRecord:
    """Returns the rejection for the decoder's `message` about the record `text`, which is JSON.

    The rule is the one that the field's type states; where it states none, it is the message.
    """
    found = _PATH.search(message)
    missing = _MISSING.search(message)
    path = found.group(1).split(".") if found and found.group(1) else []
    if missing is not None:
        path.append(missing.group(1))
    described = _description(path, text)
    if missing is not None:
        rule = "required, and missing" + (f"; {described}" if described else "")
    elif described:
        rule = f"a string: {described}" if "expected `str`, got" in message.lower() else described
    else:
        rule = message if found is None else message[: found.start()]
    return RejectedRecord(".".join(path) or "value", _value_at(text, path), rule)


def no_json(value: bytes, error: Exception) -> RejectedRecord:
    """Returns the rejection of a value that is not JSON in UTF-8; `error` says why."""
    return RejectedRecord("value", value, foreign(value) or f"a JSON object in UTF-8: {error}")


def foreign(value: bytes) -> str | None:
    """Returns the rule for a value whose first bytes are those of another format; None for any other."""
    name = next((name for start, name in _STARTS.items() if value.startswith(start)), None)
    return None if name is None else f"a JSON object in UTF-8, and this is {name}: send plain JSON"


def members(text: str | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """Returns the members of a JSON object by name, not decoded; none if `text` is another JSON value.

    Raises msgspec.DecodeError unless `text` is JSON as the decoder takes it.
    """
    try:
        return _MEMBERS.decode(text)
    except msgspec.ValidationError:
        _ANYTHING.decode(text)  # an array or a string may be malformed behind its first byte
        return {}


def value_of(raw: msgspec.Raw) -> object:
    """Returns the value of `raw`, which is JSON, with its numbers as text if the decoder does not take one of them."""
    try:
        return msgspec.json.decode(raw)
    except msgspec.ValidationError:
        return json.loads(bytes(raw), parse_int=str, parse_float=str)


def _value_at(text: str, path: list[str]) -> object:
    """The value at `path` in the record, None where there is none."""
    value = msgspec.Raw(text)
    for name in path:
        found = members(value).get(name)
        if found is None:
            return None
        value = found
    return value_of(value)


def _description(path: list[str], text: str) -> str:
    """The rule of the field at `path` in the record's own type; empty where it states none.

    In a record without one of the types, the rule is the one of the first type that states one.
    """
    if path == ["type"]:
        return "one of " + ", ".join(RECORD_TYPES)
    if not path:
        return ""
    own = RECORD_TYPES.get(str(_value_at(text, ["type"])))
    for entry in RECORD_TYPES.values() if own is None else (own,):
        owner = entry.record if len(path) == 1 else entry.data
        if rule := _rules_of(owner).get(path[-1]):
            return rule
    return ""


@cache  # by the library it takes longer than the rest of a rejection
def _rules_of(owner: type[msgspec.Struct]) -> dict[str, str]:
    """The rules of the type's fields, by their names on the wire; empty for a field whose type states none."""
    fields: Iterable[msgspec.inspect.Field] = msgspec.inspect.type_info(owner).fields  # type: ignore[attr-defined]
    return {field.encode_name: _text_of(field.type) for field in fields}


def _text_of(kind: msgspec.inspect.Type) -> str:
    if isinstance(kind, msgspec.inspect.UnionType):
        return next((text for text in map(_text_of, kind.types) if text), "")
    if isinstance(kind, msgspec.inspect.LiteralType):
        return "one of " + ", ".join(str(value) for value in kind.values)
    return str((getattr(kind, "extra_json_schema", None) or {}).get("description", ""))
