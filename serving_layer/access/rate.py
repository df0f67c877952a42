"""Limits how many requests one key may send, by the library `limits`, in the memory of this process.

Each process counts for itself: N workers let a key send N times as many. A shared count would need a server that every
request asks; put a reverse proxy before the workers where the sum matters.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

_MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class Left:
    """What a request leaves of its key's rate."""

    allowed: bool
    seconds: int
    """Until the window ends, at least 1."""
    headers: Sequence[tuple[bytes, bytes]]
    """`RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers)."""


class Rate:
    """Counts requests by key in windows of a minute."""

    def __init__(self, per_minute: int, clock: Callable[[], int]) -> None:
        """`clock` returns microseconds since the epoch; the library's windows are of the machine's clock."""
        self.per_minute = per_minute
        self._clock = clock
        self._item = RateLimitItemPerMinute(per_minute)
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._named = (b"ratelimit-policy", b'"key";q=%d;w=60' % per_minute)

    def take(self, key_id: str) -> Left:
        """Counts a request of that key, and returns what is left."""
        allowed = self._limiter.hit(self._item, key_id)
        stats = self._limiter.get_window_stats(self._item, key_id)
        seconds = max(1, -(-(int(stats.reset_time * _MICROS) - self._clock()) // _MICROS))
        left = (b"ratelimit", b'"key";r=%d;t=%d' % (stats.remaining, seconds))
        return Left(allowed, seconds, (self._named, left))
