"""Delays Ctrl-C until the work in progress is finished."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click


@contextmanager
def held() -> Iterator[None]:
    """Delays the first Ctrl-C to the end of the block, and reports it; a second Ctrl-C takes effect at once.

    Raises KeyboardInterrupt in both cases. Does nothing outside of the main thread, which alone receives signals, and
    nothing where the process ignores Ctrl-C.
    """
    ignored = signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, None)
    if ignored or threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupted = False

    def hold(_: int, __: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        click.echo("interrupted: what was sent is waited for and marked; Ctrl-C again ends at once", err=True)

    before = signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupted:
        raise KeyboardInterrupt
