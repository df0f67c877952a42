"""Rejections of structure: translates the decoder's message into field, value and rule (R3)."""

import re
from typing import Any, Final

import msgspec

from common.errors import RejectedRecord
from common.log.wire import RECORD_TYPES

_PATH: Final = re.compile(r" - at `\$\.?(.*?)`$")
_MISSING: Final = re.compile(r"missing required field `(.+?)`")


def rejection(message: str, raw: bytes) -> RejectedRecord:
    """Returns the rejection for the decoder's `message` about the record `raw`.

    The rule is the one that the field's type states; where it states none, it is the message.
    """
    found = _PATH.search(message)
    missing = _MISSING.search(message)
    path = found.group(1).split(".") if found and found.group(1) else []
    if missing is not None:
        path.append(missing.group(1))
    described = _description(path)
    if missing is not None:
        rule = "required, and missing" + (f"; {described}" if described else "")
    elif described:
        rule = f"a string: {described}" if "expected `str`, got" in message.lower() else described
    else:
        rule = message if found is None else message[: found.start()]
    return RejectedRecord(".".join(path) or "value", _value_at(raw, path), rule)


def _value_at(raw: bytes, path: list[str]) -> object:
    """The value at `path` in the record, None where there is none; the bytes themselves where they are not JSON."""
    try:
        value: Any = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return raw
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _description(path: list[str]) -> str:
    """The rule of the field at `path`, from the first record type that states one; empty where none does."""
    if path == ["type"]:
        return "one of " + ", ".join(RECORD_TYPES)
    if not path:
        return ""
    for entry in RECORD_TYPES.values():
        owner = entry.record if len(path) == 1 else entry.data
        for field in msgspec.inspect.type_info(owner).fields:  # type: ignore[attr-defined] # a StructType has fields
            if field.encode_name == path[-1] and (text := _text_of(field.type)):
                return text
    return ""


def _text_of(kind: msgspec.inspect.Type) -> str:
    if isinstance(kind, msgspec.inspect.UnionType):
        return next((text for text in map(_text_of, kind.types) if text), "")
    if isinstance(kind, msgspec.inspect.LiteralType):
        return "one of " + ", ".join(str(value) for value in kind.values)
    return str((getattr(kind, "extra_json_schema", None) or {}).get("description", ""))
