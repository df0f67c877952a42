"""A circuit breaker: after failures in a row a server is not called for a while, then by one probe. Knows no client."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import TypeVar

import structlog

from common.errors import CircuitOpen, Unavailable

log = structlog.get_logger(__name__)
T = TypeVar("T")


class CircuitState(Enum):
    """Closed lets every call pass, open none; half-open waits for the answer to its one probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Guards calls to `server`: opens after `threshold` failures in a row, and probes after `recovery_seconds`.

    Only Unavailable counts as a failure. The result of a call that began before the last change of state is returned
    but not counted. `clock` returns seconds that never go back.
    """

    def __init__(
        self, server: str, threshold: int, recovery_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.server = server
        self.state = CircuitState.CLOSED
        self.opened = 0
        """How often the state changed from closed to open."""
        self._threshold = threshold
        self._recovery = recovery_seconds
        self._clock = clock
        self._failures = 0
        self._turn = 0  # counts the changes of state
        self._probe_at = 0.0
        self._changed = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether calls are refused: also true while a probe is under way."""
        return self.state is not CircuitState.CLOSED

    async def call(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Returns the operation's result. Raises what it raises, and CircuitOpen where it was not started."""
        turn = self._admit()
        try:
            result = await operation()
        except Unavailable as error:
            self._failed(turn, error)
            raise
        except BaseException:
            self._abandoned(turn)
            raise
        self._succeeded(turn)
        return result

    async def wait(self) -> None:
        """Returns once a call may pass again: the state has changed, or the time for a probe has come."""
        seconds = self._probe_at - self._clock() if self.state is CircuitState.OPEN else self._recovery
        try:
            await asyncio.wait_for(self._changed.wait(), max(seconds, 0.0))
        except TimeoutError:
            return

    def _admit(self) -> int:
        if self.state is CircuitState.OPEN and self._clock() >= self._probe_at:
            self._enter(CircuitState.HALF_OPEN, "one probe is sent")
        elif self.is_open:
            raise CircuitOpen(self.server, self._threshold)
        return self._turn

    def _succeeded(self, turn: int) -> None:
        if turn == self._turn:
            self._failures = 0
            if self.is_open:
                self._enter(CircuitState.CLOSED, "the server answered")

    def _failed(self, turn: int, error: Unavailable) -> None:
        if turn != self._turn:
            return
        self._failures += 1
        if self.state is CircuitState.HALF_OPEN or self._failures >= self._threshold:
            self.opened += self.state is CircuitState.CLOSED
            self._open(f"no calls for {self._recovery:g} s: {error}")

    def _abandoned(self, turn: int) -> None:
        """A probe that was cancelled, or failed otherwise, tells nothing of the server: the next call is the probe."""
        if turn == self._turn and self.state is CircuitState.HALF_OPEN:
            self._enter(CircuitState.OPEN, "the probe ended without an answer")
            self._probe_at = self._clock()

    def _open(self, why: str) -> None:
        self._probe_at = self._clock() + self._recovery
        self._enter(CircuitState.OPEN, why)

    def _enter(self, state: CircuitState, why: str) -> None:
        self.state = state
        self._turn += 1
        write = log.info if state is CircuitState.CLOSED else log.warning
        write(f"circuit_{state.value}", server=self.server, failures=self._failures, why=why)
        self._changed.set()  # wakes all who wait; the next change has an event of its own
        self._changed = asyncio.Event()
