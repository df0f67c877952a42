"""Why a record's structure was refused: the decoder's message, turned into field, value and rule."""

import re
from typing import Any, Final

import msgspec

from common.errors import RejectedRecord
from common.log.wire import RECORD_TYPES

_PATH: Final = re.compile(r" - at `\$\.?(.*?)`$")
_MISSING: Final = re.compile(r"missing required field `(.+?)`")


def rejection(message: str, raw: bytes) -> RejectedRecord:
    """The rejection that the decoder's `message` about `raw` stands for, with the rule that the field's type states."""
    found, missing = _PATH.search(message), _MISSING.search(message)
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
    try:
        value: Any = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return raw
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _description(path: list[str]) -> str:
    """What the types say about the field at `path`; the first type that says something."""
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
