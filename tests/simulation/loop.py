"""An event loop without a clock or a selector: what is ready runs, in order; everything else the simulation decides."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context, ContextVar
from typing import Any

OWNER: ContextVar[object] = ContextVar("OWNER", default=None)
"""The process that the running task belongs to; a timer is its owner's, and stands still with it."""


class Timer(asyncio.TimerHandle):
    """A callback at a virtual time, in seconds."""

    owner: object = None


class SimLoop(asyncio.BaseEventLoop):
    """Runs coroutines until all of them wait; `now` is the virtual time in microseconds."""

    def __init__(self, now: int) -> None:
        super().__init__()
        self.now = now
        self.due: deque[asyncio.Handle] = deque()
        self.timers: list[Timer] = []
        self.failures: list[BaseException] = []

    def time(self) -> float:
        return self.now / 1e6

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> asyncio.Handle:  # type: ignore[override] # variadic types
        handle = asyncio.Handle(callback, args, self, context)
        self.due.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment] # there is one thread

    def call_at(  # type: ignore[override] # variadic types
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = Timer(when, callback, args, self, context)
        timer.owner = OWNER.get()
        self.timers.append(timer)
        return timer

    def call_later(  # type: ignore[override] # variadic types
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        if handle in self.timers:
            self.timers.remove(handle)  # type: ignore[arg-type] # all of them are ours

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException):
            self.failures.append(error)

    def drain(self) -> None:
        """Run whatever is ready, and what that makes ready, until every task waits for something."""
        while self.due:
            handle = self.due.popleft()
            if not handle._cancelled:  # asyncio's own loop looks there, too
                handle._run()

    def next_timer(self, runs: Callable[[object], bool]) -> Timer | None:
        """The earliest timer of an owner that runs; of equal ones the one set first."""
        ready = [timer for timer in self.timers if runs(timer.owner)]
        return min(ready, key=asyncio.TimerHandle.when) if ready else None

    def fire(self, timer: Timer) -> None:
        """The timer's callback is ready, and time is not before it."""
        self.timers.remove(timer)
        self.now = max(self.now, round(timer.when() * 1e6))
        self.due.append(timer)
