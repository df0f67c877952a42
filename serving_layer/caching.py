"""Entity tags of answers, and conditional requests (RFC 9110)."""

import hashlib
import re
from typing import Final

import msgspec
from fastapi import Response

REVALIDATE: Final = "private, no-cache"
"""Cache-Control of an answer with a tag: a client may keep it, and must ask whether it still holds."""
_TAG: Final = re.compile(r'(?:W/)?("[^"]*")')


def tag_of(*basis: object) -> str:
    """Returns the weak entity tag of an answer that stands on `basis`: equal for answers that say the same."""
    # Weak: how far behind the speed layer is, and how far the log was read, may differ between two equal answers.
    digest = hashlib.blake2s(msgspec.json.encode(basis), digest_size=12).hexdigest()
    return f'W/"{digest}"'


def conditional(content: object, tag: str, if_none_match: str | None) -> Response:
    """Returns `content` as JSON with its tag, or 304 if the client has an answer of that tag."""
    headers = {"ETag": tag, "Cache-Control": REVALIDATE, "Vary": "Prefer"}
    if if_none_match is not None and _matches(if_none_match, tag):
        return Response(status_code=304, headers=headers)
    return Response(msgspec.json.encode(content), media_type="application/json", headers=headers)


def _matches(if_none_match: str, tag: str) -> bool:
    return if_none_match.strip() == "*" or tag.removeprefix("W/") in _TAG.findall(if_none_match)
