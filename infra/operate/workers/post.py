"""A worker's post under a supervisor, and who fills it."""

import signal
from dataclasses import dataclass, field
from typing import Protocol


class Child(Protocol):
    """A worker process."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def send_signal(self, sig: int, /) -> None: ...


class Nursery(Protocol):
    """Where workers come from, and what they say of themselves."""

    def start(self, succeed: int | None = None) -> Child:
        """A new worker; one that succeeds waits, ready to go, until that seat is free."""
        ...

    def seat_of(self, pid: int) -> int | None:
        """The seat that this worker holds, once it has said so."""
        ...

    def is_settled(self, pid: int) -> bool:
        """Whether this worker reads what it was given: each partition was caught up with the log, or moved on."""
        ...

    def is_waiting(self, pid: int) -> bool:
        """Whether this worker waits for its seat, and nothing else."""
        ...


@dataclass(slots=True)
class Post:
    """One worker's post, and who fills it; times in seconds of the supervisor's clock."""

    child: Child | None = None
    successor: Child | None = None
    """Waits for the child to end, in a rolling restart."""
    settled: bool = False
    stopping: bool = False
    """The child was asked to make room for its successor."""
    vacant: bool = False
    """Not filled again: its worker was told to stop by somebody else, or failed too often."""
    attempts: int = 0
    """Ends by failure since a worker last settled here: the pause before the next one grows with them."""
    failures: int = 0
    """Those of them that were not temporary."""
    start_at: float = 0.0
    kill_at: float = field(default=float("inf"))
    code: int = 0

    def ask(self, number: signal.Signals, kill_at: float) -> None:
        """Send the worker a signal to stop; it is killed if it has not by `kill_at`."""
        if self.child is not None:
            self.child.send_signal(number)
            self.kill_at = kill_at

    def make_room(self, kill_at: float) -> None:
        """The worker stops, and keeps its membership of the group for its successor."""
        self.stopping, self.settled = True, False
        self.ask(signal.SIGHUP, kill_at)

    def fill(self, child: Child) -> None:
        self.child, self.settled, self.stopping, self.code = child, False, False, 0
        self.kill_at = float("inf")

    def stop(self, kill_at: float) -> None:
        """Whoever is here, or waits, stops for good."""
        if self.child is None and not self.vacant:
            self.code = 0  # it would have been filled again
        self.ask(signal.SIGTERM, kill_at)
        self.kill_at = kill_at
        if self.successor is not None:
            self.successor.send_signal(signal.SIGTERM)

    def drop_successor(self, *, kill: bool) -> None:
        """Forget the successor once it has ended."""
        if self.successor is not None and self.successor.poll() is not None:
            self.successor = None
        elif self.successor is not None and kill:
            self.successor.send_signal(signal.SIGKILL)
