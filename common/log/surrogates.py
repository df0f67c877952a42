r"""Lone surrogates in JSON: escapes such as `\ud83d` that are half of a pair, which no text in UTF-8 can hold.

JSON's grammar allows them, and the decoder refuses them, also in fields that nobody reads. So JSON that has some is
read twice, with two different characters in their place: if both readings are equal, nobody read a lone surrogate.
"""

import re
from typing import Final, NamedTuple

RULE: Final = "text in UTF-8: it has half of a surrogate pair"
_HIGH: Final = r"\\u[dD][89abAB][0-9a-fA-F]{2}"
_LOW: Final = r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE: Final = re.compile(rf"{_HIGH}{_LOW}|(?P<lone>{_HIGH}|{_LOW})|\\.", re.DOTALL)
_FIRST: Final = 0x800
_SECOND: Final = 0x1000
"""How much higher the stand-ins' codes are: both fall into the private use area, whose characters no rule forbids."""
_LONE: Final = {chr(code + _FIRST): chr(code) for code in range(0xD800, 0xE000)}


class Difference(NamedTuple):
    """Where two readings differ: the path of the field, and its value with its lone surrogates."""

    path: tuple[str, ...]
    value: object


def readings(text: str) -> tuple[str, str] | None:
    """Returns JSON `text` twice, each lone surrogate replaced by another character in each; None where it has none.

    The replacements are escapes of the same length, so positions in the decoder's messages stay true.
    """
    first = _replaced(text, _FIRST)
    return None if first == text else (first, _replaced(text, _SECOND))


def difference(first: object, second: object) -> Difference | None:
    """Returns the first field that differs in the values of two readings; None where they are equal.

    A field is a member of an object, whose name must be the same in both; a list is one value.
    """
    if first == second:
        return None
    if isinstance(first, dict) and isinstance(second, dict):
        for name in first:
            found = difference(first[name], second.get(name))
            if found is not None:
                return Difference((name, *found.path), found.value)
    return Difference((), restored(first, second))


def restored(first: object, second: object) -> object:
    """Returns the value of which these are two readings, with its lone surrogates: they stand where the two differ."""
    if isinstance(first, str) and isinstance(second, str):
        pairs = zip(first, second, strict=False)
        return "".join(one if one == other else _LONE.get(one, one) for one, other in pairs)
    if isinstance(first, list) and isinstance(second, list):
        return [restored(one, other) for one, other in zip(first, second, strict=False)]
    if isinstance(first, dict) and isinstance(second, dict):
        names = zip(first, second, strict=False)
        return {restored(one, other): restored(first[one], second[other]) for one, other in names}
    return first


def _replaced(text: str, higher: int) -> str:
    def replacement(escape: re.Match[str]) -> str:
        if escape["lone"] is None:
            return escape[0]
        code = int.from_bytes(bytes.fromhex(escape["lone"].removeprefix("\\u")))
        return f"\\u{code + higher:04x}"

    return _ESCAPE.sub(replacement, text)
