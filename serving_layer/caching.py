"""Entity tags of answers, and conditional requests (RFC 9110)."""

import hashlib
import re
from typing import Final

import msgspec
from fastapi import Response

REVALIDATE: Final = "private, no-cache"
"""Cache-Control of an answer with a tag: a client may keep it, and must ask whether it still holds."""
_CONDITIONAL: Final = ((b"cache-control", REVALIDATE.encode()), (b"vary", b"Prefer"))
_JSON: Final = (b"content-type", b"application/json")
_TAG: Final = re.compile(r'(?:W/)?("[^"]*")')


def tag_of(*basis: object) -> str:
    """Returns the weak entity tag of an answer that stands on `basis`: equal for answers that say the same."""
    # Weak: how far behind the speed layer is, and how far the log was read, may differ between two equal answers.
    digest = hashlib.blake2s(msgspec.json.encode(basis), digest_size=12).hexdigest()
    return f'W/"{digest}"'


def conditional(content: object, tag: str, if_none_match: str | None) -> Response:
    """Returns `content` as JSON with its tag, or 304 if the client has an answer of that tag."""
    headers = [(b"etag", tag.encode()), *_CONDITIONAL]
    if if_none_match is not None and _matches(if_none_match, tag):
        return _Ready(304, headers, b"")
    body = msgspec.json.encode(content)
    return _Ready(200, [*headers, _JSON, (b"content-length", b"%d" % len(body))], body)


class _Ready(Response):
    """A response whose headers are what is sent. The framework's own encodes each of them, and looks for others."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.status_code, self.raw_headers, self.body, self.background = status, headers, body, None


def _matches(if_none_match: str, tag: str) -> bool:
    return if_none_match.strip() == "*" or tag.removeprefix("W/") in _TAG.findall(if_none_match)
