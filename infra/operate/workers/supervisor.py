"""Keeps several workers running, stops them together, and replaces them one after another."""

import signal
import time
from collections.abc import Callable
from typing import Final

import structlog

from common.errors import WorkerError
from infra.operate.workers.post import Child, Nursery, Post

log = structlog.get_logger(__name__)
TEMPORARY: Final = 75
"""EX_TEMPFAIL: the exit code of a worker that could not begin because a server did not answer. Retried for ever."""
MOST_FAILURES: Final = 5
"""A post is left vacant after so many failures in a row. Settling resets the count; temporary failures do not count."""
STOPPED: Final = {0, TEMPORARY, -signal.SIGTERM}
"""Exit codes of a worker that was asked to stop, also before it had begun."""
LONGEST_PAUSE_SECONDS: Final = 30.0
TICK_SECONDS: Final = 0.1


class Supervisor:
    """Keeps a worker in every post. A worker that takes longer than `patience_seconds` to stop is killed."""

    def __init__(
        self,
        nursery: Nursery,
        *,
        workers: int,
        patience_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._nursery = nursery
        self._patience = patience_seconds
        self._clock = clock
        self.posts = [Post() for _ in range(workers)]
        self._queue: list[Post] = []
        self._rolling: Post | None = None
        self._stopping = False
        # Signals set these at any moment; the next tick acts on them.
        self.stop_asked = False
        self.restart_asked = False

    def run(self) -> None:
        """Runs until SIGTERM or SIGINT stopped the workers, or every post is vacant. SIGHUP starts a rolling restart.

        Raises WorkerError if a worker failed. SIGHUP stays ignored if it was ignored at the start (nohup).
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: setattr(self, "stop_asked", True))
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, lambda _number, _frame: setattr(self, "restart_asked", True))
        while not self.ended:
            self.tick()
            time.sleep(TICK_SECONDS)
        if codes := [post.code for post in self.posts if post.code]:
            raise WorkerError(f"workers ended with {codes}; see their lines above")

    @property
    def ended(self) -> bool:
        empty = all(post.child is None and post.successor is None for post in self.posts)
        return empty and all(self._stopping or post.vacant for post in self.posts)

    def tick(self) -> None:
        """Checks every post once: starts, kills and replaces workers that are due. Does not wait."""
        if self.stop_asked and not self._stopping:
            self._stop()
        if self.restart_asked and not self._stopping:
            self._queue = [post for post in self.posts if not post.vacant and post is not self._rolling]
            log.info("rolling_restart", workers=len(self._queue))
        self.restart_asked = False
        for post in self.posts:
            if post.child is None:
                self._fill(post)
            else:
                self._look_at(post, post.child)
        self._roll()

    def _stop(self) -> None:
        self._stopping = True
        self._queue, self._rolling = [], None
        for post in self.posts:
            post.stop(self._clock() + self._patience)

    def _fill(self, post: Post) -> None:
        if self._stopping:
            post.drop_successor(kill=self._clock() >= post.kill_at)
        elif not post.vacant and self._clock() >= post.start_at:
            try:
                post.fill(self._nursery.start())
            except OSError as error:
                log.warning("worker_not_started", error=error)
                self._ended(post, TEMPORARY)

    def _look_at(self, post: Post, child: Child) -> None:
        code = child.poll()
        if code is not None:
            self._ended(post, code)
        elif self._clock() >= post.kill_at:
            child.send_signal(signal.SIGKILL)
        elif not post.settled and not post.stopping and self._nursery.is_settled(child.pid):
            post.settled, post.attempts, post.failures = True, 0, 0

    def _ended(self, post: Post, code: int) -> None:
        post.child, post.code = None, code
        if self._stopping:
            post.code = 0 if code in STOPPED else code
        elif post.successor is not None:
            post.fill(post.successor)
            post.successor = None
        elif code:
            self._failed(post, code)
        elif not post.stopping:  # else it stopped for a successor that has ended: refill
            post.vacant = True
            log.info("worker_stopped", action="leave_vacant")

    def _failed(self, post: Post, code: int) -> None:
        post.attempts += 1
        post.failures += code != TEMPORARY
        failed = {"code": code, "failures": post.attempts}
        if post.failures >= MOST_FAILURES and code != TEMPORARY:
            post.vacant = True
            log.error("worker_failed", **failed, action="give_up")
            return
        pause = 0.0 if post.attempts == 1 else min(2.0 ** min(post.attempts - 2, 10), LONGEST_PAUSE_SECONDS)
        post.start_at = self._clock() + pause
        log.warning("worker_failed", **failed, action="restart", pause_seconds=pause)

    def _roll(self) -> None:
        """Advances the rolling restart, one worker at a time.

        A successor gets ready before its worker stops, so that a release that does not start stops no worker.
        """
        if self._rolling is not None:
            self._go_on(self._rolling)
        while self._rolling is None and self._queue:
            post = self._queue.pop(0)
            seat = None if post.child is None else self._nursery.seat_of(post.child.pid)
            if seat is not None:  # a worker without a seat has only just started
                self._succeed(post, seat)

    def _succeed(self, post: Post, seat: int) -> None:
        try:
            post.successor, self._rolling = self._nursery.start(seat), post
        except OSError as error:
            log.warning("worker_not_started", error=error)
            self._give_up("successor_not_started")

    def _go_on(self, post: Post) -> None:
        if post.vacant:
            self._give_up("worker_failed")
        elif post.successor is None:
            if post.settled:
                self._rolling = None
                log.info("worker_restarted", left=len(self._queue))
        elif post.successor.poll() is not None:
            post.successor = None
            self._give_up("successor_failed")
        elif not post.stopping and self._nursery.is_waiting(post.successor.pid):
            post.make_room(self._clock() + self._patience)

    def _give_up(self, reason: str) -> None:
        self._queue, self._rolling = [], None
        log.warning("rolling_restart_given_up", reason=reason)
