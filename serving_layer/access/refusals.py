"""What a connection is told before a request of it reaches the application: a whole HTTP response, in bytes."""

from http import HTTPStatus
from typing import Final, NamedTuple

import msgspec

from serving_layer.access.headers import MARKS
from serving_layer.problems import MEDIA_TYPE


class Refusal(NamedTuple):
    """Why a connection is refused."""

    status: HTTPStatus
    slug: str
    detail: str
    retry_seconds: int | None = None


MALFORMED: Final = Refusal(HTTPStatus.BAD_REQUEST, "bad-request", "this is no HTTP/1.1 request")
TOO_SLOW: Final = Refusal(HTTPStatus.REQUEST_TIMEOUT, "request-timeout", "the request did not arrive in time")
FULL: Final = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE, "too-many-connections", "this process has as many connections as it may", 5
)


def url_too_long(most: int) -> Refusal:
    return Refusal(HTTPStatus.REQUEST_URI_TOO_LONG, "uri-too-long", f"path and query have at most {most} bytes")


def headers_too_large(most: int) -> Refusal:
    text = f"all headers together have at most {most} bytes"
    return Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers-too-large", text)


def response(refusal: Refusal) -> bytes:
    """Returns the response of a refusal: a problem (RFC 9457) with the security headers, and a connection's last."""
    status = refusal.status
    body = msgspec.json.encode(
        {
            "type": f"urn:lambda360:problem:{refusal.slug}",
            "title": status.phrase,
            "status": status.value,
            "detail": refusal.detail,
        }
    )
    retry = [] if refusal.retry_seconds is None else [(b"retry-after", b"%d" % refusal.retry_seconds)]
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
        *retry,
        *MARKS,
    ]
    head = b"HTTP/1.1 %d %s\r\n" % (status.value, status.phrase.encode())
    return head + b"".join(b"%s: %s\r\n" % header for header in headers) + b"\r\n" + body
