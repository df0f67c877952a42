"""An event loop without a clock or a selector: what is ready runs, in order; everything else the simulation decides."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVar

T = TypeVar("T")
OWNER: ContextVar[object] = ContextVar("OWNER", default=None)
"""The process that the running task belongs to; a timer is its owner's, and stands still with it."""


class Ready(asyncio.Handle):
    """A callback that may run, without what asyncio's own handle does for a debugger."""

    __slots__ = ()

    def __init__(self, callback: Callable[..., object], args: Sequence[Any], context: Context, loop: "SimLoop") -> None:
        self._callback, self._args, self._context, self._loop = callback, args, context, loop
        self._cancelled = False


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
        self.get_debug = bool  # type: ignore[method-assign] # False, without a frame: each task and future asks

    def time(self) -> float:
        return self.now / 1e6

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> asyncio.Handle:  # type: ignore[override] # variadic types
        handle = Ready(callback, args, copy_context() if context is None else context, self)
        self.due.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment] # there is one thread

    def create_task(  # type: ignore[override] # no generators
        self, coro: Coroutine[Any, Any, T], *, name: object = None, context: Context | None = None
    ) -> asyncio.Task[T]:
        return asyncio.Task(coro, loop=self, name="task" if name is None else str(name), context=context)

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
        due = self.due
        while due:
            handle = due.popleft()
            if handle._cancelled:  # asyncio's own loop looks there, too
                continue
            try:
                handle._context.run(handle._callback, *handle._args)  # type: ignore[attr-defined] # not in typeshed
            except Exception as error:
                self.failures.append(error)

    def next_timer(self, runs: Callable[[object], bool]) -> Timer | None:
        """The earliest timer of an owner that runs; of equal ones the one set first."""
        ready = [timer for timer in self.timers if runs(timer.owner)]
        return min(ready, key=asyncio.TimerHandle.when) if ready else None

    def fire(self, timer: Timer) -> None:
        """The timer's callback is ready, and time is not before it."""
        self.timers.remove(timer)
        self.now = max(self.now, round(timer.when() * 1e6))
        self.due.append(timer)
