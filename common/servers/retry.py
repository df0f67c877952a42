"""Retries of an operation until its server answers (R14), with growing, jittered pauses. Knows no client."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

import structlog

from common.errors import CircuitOpen, Unavailable
from common.servers.breaker import Breaker

log = structlog.get_logger(__name__)
T = TypeVar("T")
LOG_EVERY_SECONDS: Final = 10.0
"""The least time between two log lines about failures."""


@dataclass(slots=True)
class Retry:
    """Runs operations until they succeed. Only Unavailable is retried; any other error is raised at once.

    The pauses double from `min_seconds` to `max_seconds`; a `jitter` of 1 keeps a pause, and one of 0 halves it. All
    operations on one server share its `breaker`: while it is open, they wait and are not started.
    """

    breaker: Breaker
    min_seconds: float
    max_seconds: float
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic
    waiting: int = 0
    """Operations that failed, or were not started, and have not succeeded since."""
    _silent_until: float = field(default=0.0, init=False)

    async def once(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Returns the result of one attempt. Raises what the operation raises, or CircuitOpen if it was not started."""
        return await self.breaker.call(operation)

    async def until_done(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Repeats the operation, which must be idempotent, until it succeeds, and returns its result."""
        try:
            return await self.breaker.call(operation)
        except CircuitOpen:
            pass
        except Unavailable as error:
            self._report(error)
        self.waiting += 1
        try:
            return await self._retry(operation)
        finally:
            self.waiting -= 1

    async def _retry(self, operation: Callable[[], Awaitable[T]]) -> T:
        pause = self.min_seconds
        while True:
            await self.sleep(pause * (0.5 + self.jitter() / 2))
            try:
                return await self.breaker.call(operation)
            except CircuitOpen:
                await self.breaker.wait()
            except Unavailable as error:
                self._report(error)
                pause = min(pause * 2, self.max_seconds)

    def _report(self, error: Unavailable) -> None:
        if self.clock() >= self._silent_until:
            log.warning("unavailable", server=error.server, action="retry", waiting=self.waiting, error=error)
            self._silent_until = self.clock() + LOG_EVERY_SECONDS
