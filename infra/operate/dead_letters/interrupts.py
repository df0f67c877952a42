"""Ctrl-C that waits until what is under way is finished."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click


@contextmanager
def held() -> Iterator[None]:
    """The first Ctrl-C is told, and raises KeyboardInterrupt at the end; a second one raises it at once.

    Outside of the main thread, which no signal reaches, and where Ctrl-C is ignored, nothing changes.
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
