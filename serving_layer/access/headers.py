"""The security headers of every answer."""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

SOURCES: Final[Mapping[str, str]] = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
"""The content security policy: pages load what this server has, and nothing inline."""
_INLINE: Final = {
    "script-src": re.compile(r"<script>(.*?)</script>", re.DOTALL),
    "style-src": re.compile(r"<style>(.*?)</style>", re.DOTALL),
}

Headers = Iterable[tuple[bytes, bytes]]


def policy(page: str = "") -> str:
    """Returns the content security policy. It admits the inline scripts and styles of `page`, by their hashes."""
    allowed = {name: [source, *_hashes(_INLINE.get(name), page)] for name, source in SOURCES.items()}
    return "; ".join(f"{name} {' '.join(sources)}" for name, sources in allowed.items())


def _hashes(inline: re.Pattern[str] | None, page: str) -> Sequence[str]:
    found = inline.findall(page) if inline else []
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in found)
    return [f"'sha256-{digest}'" for digest in digests]


MARKS: Final = (
    (b"content-security-policy", policy().encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_STRICT_TRANSPORT: Final = (b"strict-transport-security", b"max-age=31536000")
_POLICY: Final = MARKS[0][0]


def marked(headers: Headers, scope: Mapping[str, Any], extra: Headers) -> list[tuple[bytes, bytes]]:
    """Returns an answer's headers with the security headers and `extra`. A policy of the answer's own stays."""
    made = list(headers)
    own_policy = any(name.lower() == _POLICY for name, _ in made)
    made += MARKS[1:] if own_policy else MARKS
    made += extra
    if scope["scheme"] == "https":
        made.append(_STRICT_TRANSPORT)
    return made


def cors(origins: Sequence[str]) -> dict[str, Any]:
    """Returns the parameters of Starlette's CORS middleware: pages of these origins may ask, and read answers."""
    return {
        "allow_origins": list(origins),
        "allow_methods": ["GET", "POST"],
        "allow_headers": ["Authorization", "Content-Type", "If-None-Match", "Last-Event-ID", "Prefer", "X-API-Key"],
        "expose_headers": ["ETag", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-Id"],
        "max_age": 600,
    }
