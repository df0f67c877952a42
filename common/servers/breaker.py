"""A circuit breaker: after failures in a row a server is left alone for a while, then asked by one probe."""

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
    """Closed lets every call pass, open none, half-open is waiting for the answer to its one probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Guards calls to `server`. Only Unavailable counts as a failure; `clock` gives seconds that never go back.

    What a call begun before the state last changed comes to is passed on, and says nothing about the server now.
    """

    def __init__(
        self, server: str, threshold: int, recovery_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.server = server
        self.state = CircuitState.CLOSED
        self.opened = 0
        """How often it went from closed to open."""
        self._threshold, self._recovery, self._clock = threshold, recovery_seconds, clock
        self._failures, self._turn, self._probe_at = 0, 0, 0.0
        self._changed = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether calls are held back."""
        return self.state is not CircuitState.CLOSED

    async def call(self, operation: Callable[[], Awaitable[T]]) -> T:
        """The operation's result. Raises CircuitOpen where it may not be made now, else what the operation raises."""
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
        """Return when a call may be worth making: the state changed, or the time for a probe has come."""
        seconds = self._probe_at - self._clock() if self.state is CircuitState.OPEN else self._recovery
        try:
            await asyncio.wait_for(self._changed.wait(), max(seconds, 0.0))
        except TimeoutError:
            return

    def _admit(self) -> int:
        if self.state is CircuitState.OPEN and self._clock() >= self._probe_at:
            self._enter(CircuitState.HALF_OPEN, "asks with one probe")
        elif self.is_open:
            raise CircuitOpen(self.server, self._threshold)
        return self._turn

    def _succeeded(self, turn: int) -> None:
        if turn == self._turn:
            self._failures = 0
            if self.is_open:
                self._enter(CircuitState.CLOSED, "answers again")

    def _failed(self, turn: int, error: Unavailable) -> None:
        if turn != self._turn:
            return
        self._failures += 1
        if self.state is CircuitState.HALF_OPEN or self._failures >= self._threshold:
            self.opened += self.state is CircuitState.CLOSED
            self._open(f"left alone for {self._recovery:g} s: {error}")

    def _abandoned(self, turn: int) -> None:
        """The probe ended without an answer: the next caller is the probe."""
        if turn == self._turn and self.state is CircuitState.HALF_OPEN:
            self._enter(CircuitState.OPEN, "the probe was given up")
            self._probe_at = self._clock()

    def _open(self, why: str) -> None:
        self._probe_at = self._clock() + self._recovery
        self._enter(CircuitState.OPEN, why)

    def _enter(self, state: CircuitState, why: str) -> None:
        self.state, self._turn = state, self._turn + 1
        tell = log.info if state is CircuitState.CLOSED else log.warning
        tell(f"circuit_{state.value}", server=self.server, failures=self._failures, why=why)
        self._changed.set()
        self._changed = asyncio.Event()
