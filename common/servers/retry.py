"""Waiting for a server that is away (R14): as long as it takes, in growing, jittered pauses, with few words."""

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
WORDS_EVERY_SECONDS: Final = 10.0


@dataclass(slots=True)
class Retry:
    """Runs operations until they succeed. Only Unavailable is waited for; anything else is raised at once.

    All operations on one server share its `breaker`: while it is open they wait, and are not made.
    """

    breaker: Breaker
    min_seconds: float
    max_seconds: float
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic
    waiting: int = 0
    """Operations that failed and have not succeeded since."""
    _silent_until: float = field(default=0.0)

    async def once(self, operation: Callable[[], Awaitable[T]]) -> T:
        """The operation's result. Raises Unavailable if it failed, or (CircuitOpen) was not made."""
        return await self.breaker.call(operation)

    async def until_done(self, operation: Callable[[], Awaitable[T]]) -> T:
        """The operation's result, once it has one."""
        try:
            return await self.breaker.call(operation)
        except CircuitOpen:
            pass
        except Unavailable as error:
            self._say(error)
        self.waiting += 1
        try:
            return await self._again(operation)
        finally:
            self.waiting -= 1

    async def _again(self, operation: Callable[[], Awaitable[T]]) -> T:
        pause = self.min_seconds
        while True:
            await self.sleep(pause * (0.5 + self.jitter() / 2))
            try:
                return await self.breaker.call(operation)
            except CircuitOpen:
                await self.breaker.wait()
            except Unavailable as error:
                self._say(error)
                pause = min(pause * 2, self.max_seconds)

    def _say(self, error: Unavailable) -> None:
        if self.clock() >= self._silent_until:
            log.warning("unavailable", server=error.server, action="retry", waiting=self.waiting, error=error)
            self._silent_until = self.clock() + WORDS_EVERY_SECONDS
