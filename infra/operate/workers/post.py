"""A post: one of the supervisor's N places for a worker, with the worker in it."""

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
    """Starts workers and reports their state."""

    def start(self, succeed: int | None = None) -> Child:
        """Starts a worker. With `succeed`, it gets ready and then waits until that seat is free. Raises OSError."""
        ...

    def seat_of(self, pid: int) -> int | None:
        """Returns the seat that this worker has recorded, or None if it has recorded none yet."""
        ...

    def is_settled(self, pid: int) -> bool:
        """Returns whether each partition of this worker has caught up with the log, or advanced."""
        ...

    def is_waiting(self, pid: int) -> bool:
        """Returns whether this worker is ready and waits only for its seat."""
        ...


@dataclass(slots=True)
class Post:
    """The state of one post. Times are seconds of the supervisor's clock."""

    child: Child | None = None
    successor: Child | None = None
    """The worker that takes over in a rolling restart, when the child has ended."""
    settled: bool = False
    """The child was seen settled: see `Nursery.is_settled`."""
    stopping: bool = False
    """The child was asked to make room for its successor."""
    vacant: bool = False
    """The post is not filled again: its worker exited with code 0 unasked, or failed too often."""
    attempts: int = 0
    """Failed exits since a worker last settled here. The pause before the next start grows with them."""
    failures: int = 0
    """The failed exits among `attempts` that were not temporary."""
    start_at: float = 0.0
    kill_at: float = field(default=float("inf"))
    code: int = 0
    """The last exit code."""

    def ask(self, number: signal.Signals, kill_at: float) -> None:
        """Sends the worker a signal to stop, and sets the time at which it is killed if it has not."""
        if self.child is not None:
            self.child.send_signal(number)
            self.kill_at = kill_at

    def make_room(self, kill_at: float) -> None:
        """Stops the worker by SIGHUP, which keeps its membership of the consumer group for its successor."""
        self.stopping = True
        self.settled = False
        self.ask(signal.SIGHUP, kill_at)

    def fill(self, child: Child) -> None:
        """Puts a new worker in this post."""
        self.child = child
        self.settled = False
        self.stopping = False
        self.code = 0
        self.kill_at = float("inf")

    def stop(self, kill_at: float) -> None:
        """Sends SIGTERM to the worker and to its successor."""
        if self.child is None and not self.vacant:
            self.code = 0  # the post would have been filled again, so its last exit code is no failure
        self.ask(signal.SIGTERM, kill_at)
        self.kill_at = kill_at
        if self.successor is not None:
            self.successor.send_signal(signal.SIGTERM)

    def drop_successor(self, *, kill: bool) -> None:
        """Forgets the successor if it has ended; otherwise kills it if `kill`."""
        if self.successor is not None and self.successor.poll() is not None:
            self.successor = None
        elif self.successor is not None and kill:
            self.successor.send_signal(signal.SIGKILL)
