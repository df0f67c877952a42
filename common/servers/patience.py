"""Patience with the store: asked again with growing pauses, for a bounded time."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from common.errors import StoreUnavailable
from common.servers.cassandra import UNAVAILABLE

T = TypeVar("T")

PATIENCE_SECONDS: Final = 60.0
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0


def patiently(ask: Callable[[], T], what: str, patience_seconds: float = PATIENCE_SECONDS) -> T:
    """What `ask` gives, once the store answers; it is asked again only where that changes nothing.

    Raises StoreUnavailable if it did not answer for `patience_seconds`.
    """
    deadline, pause = time.monotonic() + patience_seconds, _FIRST_PAUSE
    while True:
        try:
            return ask()
        except UNAVAILABLE as error:
            if time.monotonic() + pause > deadline:
                raise StoreUnavailable(
                    f"{what}: Cassandra did not answer for {patience_seconds:g} s: {error}"
                ) from error
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
