"""The security headers of every answer."""

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
Headers = Iterable[tuple[bytes, bytes]]
MARKS: Final = (
    (b"content-security-policy", "; ".join(f"{name} {sources}" for name, sources in SOURCES.items()).encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_STRICT_TRANSPORT: Final = (b"strict-transport-security", b"max-age=31536000")


def marked(headers: Headers, scope: Mapping[str, Any], extra: Headers) -> list[tuple[bytes, bytes]]:
    """Returns an answer's headers with the security headers and `extra`."""
    made = [*headers, *MARKS, *extra]
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
