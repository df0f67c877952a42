"""Opaque cursors: what a page ended with, as text that a client only passes on."""

import base64
from typing import Final, TypeVar

import msgspec

from serving_layer.problems import InvalidRequest

T = TypeVar("T")
RULE: Final = "a `next_cursor` of this route's last answer, unchanged"
MOST_CHARACTERS: Final = 4_096


def encode(end: object) -> str:
    """Returns the cursor that `decode` gives back as `end`."""
    return base64.urlsafe_b64encode(msgspec.json.encode(end)).decode().rstrip("=")


def decode(text: str, kind: type[T]) -> T:
    """Inverse of `encode`. Raises InvalidRequest for any text that is no cursor of this kind.

    A cursor is not signed: it names a place in a list that its bearer may read, and nothing else.
    """
    if len(text) > MOST_CHARACTERS:
        raise InvalidRequest("cursor", text, RULE)
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        found = msgspec.json.decode(raw, type=kind)
        is_ours = encode(found) == text
    except ValueError as error:  # of base64, of JSON, and of texts that UTF-8 cannot hold
        raise InvalidRequest("cursor", text, RULE) from error
    if not is_ours:
        raise InvalidRequest("cursor", text, RULE)
    return found
