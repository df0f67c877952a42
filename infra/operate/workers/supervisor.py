"""Several workers under one command: kept alive, stopped together, replaced one after another."""

import signal
import time
from collections.abc import Callable
from typing import Final

import structlog

from common.errors import WorkerError
from infra.operate.workers.place import Child, Nursery, Place

log = structlog.get_logger(__name__)
TEMPORARY: Final = 75
"""EX_TEMPFAIL: the exit code of a worker that could not begin because a server is away; it is tried for ever."""
MOST_FAILURES: Final = 5
"""Failures without having settled between, temporary ones aside, after which a worker is not started again."""
STOPPED: Final = {0, TEMPORARY, -signal.SIGTERM}
"""How a worker ends that is told to stop, before it has begun too."""
LONGEST_PAUSE_SECONDS: Final = 30.0
TICK_SECONDS: Final = 0.1


class Supervisor:
    """Fills every place with a worker. `patience_seconds` is how long a worker may take to stop."""

    def __init__(
        self,
        nursery: Nursery,
        *,
        workers: int,
        patience_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._nursery, self._patience, self._clock = nursery, patience_seconds, clock
        self.places = [Place() for _ in range(workers)]
        self._queue: list[Place] = []
        self._rolling: Place | None = None
        self._stopping = False
        self.stop_asked = self.restart_asked = False
        """Set by signals, at any moment; heeded at the next tick."""

    def run(self) -> None:
        """Until SIGTERM or SIGINT, or no place is left to fill; SIGHUP restarts. Raises WorkerError if one failed.

        Where SIGHUP was ignored (nohup), it stays so.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: setattr(self, "stop_asked", True))
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, lambda _number, _frame: setattr(self, "restart_asked", True))
        while not self.ended:
            self.tick()
            time.sleep(TICK_SECONDS)
        if codes := [place.code for place in self.places if place.code]:
            raise WorkerError(f"workers ended with {codes}; see their lines above")

    @property
    def ended(self) -> bool:
        empty = all(place.child is None and place.successor is None for place in self.places)
        return empty and all(self._stopping or place.vacant for place in self.places)

    def tick(self) -> None:
        """Look at every place once, and do what is due."""
        if self.stop_asked and not self._stopping:
            self._stop()
        if self.restart_asked and not self._stopping:
            self._queue = [place for place in self.places if not place.vacant and place is not self._rolling]
            log.info("rolling_restart", workers=len(self._queue))
        self.restart_asked = False
        for place in self.places:
            if place.child is None:
                self._fill(place)
            else:
                self._look_at(place, place.child)
        self._roll()

    def _stop(self) -> None:
        self._stopping = True
        self._queue, self._rolling = [], None
        for place in self.places:
            place.stop(self._clock() + self._patience)

    def _fill(self, place: Place) -> None:
        if self._stopping:
            place.drop_successor(kill=self._clock() >= place.kill_at)
        elif not place.vacant and self._clock() >= place.start_at:
            try:
                place.fill(self._nursery.start())
            except OSError as error:
                log.warning("worker_not_started", error=error)
                self._ended(place, TEMPORARY)

    def _look_at(self, place: Place, child: Child) -> None:
        code = child.poll()
        if code is not None:
            self._ended(place, code)
        elif self._clock() >= place.kill_at:
            child.send_signal(signal.SIGKILL)
        elif not place.settled and not place.stopping and self._nursery.is_settled(child.pid):
            place.settled, place.attempts, place.failures = True, 0, 0

    def _ended(self, place: Place, code: int) -> None:
        place.child, place.code = None, code
        if self._stopping:
            place.code = 0 if code in STOPPED else code
        elif place.successor is not None:
            place.fill(place.successor)
            place.successor = None
        elif code:
            self._failed(place, code)
        elif not place.stopping:  # otherwise it made room for a successor that is gone: the next look fills it
            place.vacant = True
            log.info("worker_stopped", action="leave_vacant")

    def _failed(self, place: Place, code: int) -> None:
        place.attempts += 1
        place.failures += code != TEMPORARY
        failed = {"code": code, "failures": place.attempts}
        if place.failures >= MOST_FAILURES and code != TEMPORARY:
            place.vacant = True
            log.error("worker_failed", **failed, action="give_up")
            return
        pause = 0.0 if place.attempts == 1 else min(2.0 ** min(place.attempts - 2, 10), LONGEST_PAUSE_SECONDS)
        place.start_at = self._clock() + pause
        log.warning("worker_failed", **failed, action="restart", pause_seconds=pause)

    def _roll(self) -> None:
        """One worker at a time: its successor is made ready first, so that a release that fails stops none."""
        if self._rolling is not None:
            self._go_on(self._rolling)
        while self._rolling is None and self._queue:
            place = self._queue.pop(0)
            seat = None if place.child is None else self._nursery.seat_of(place.child.pid)
            if seat is not None:  # whoever has none yet has only just begun
                self._succeed(place, seat)

    def _succeed(self, place: Place, seat: int) -> None:
        try:
            place.successor, self._rolling = self._nursery.start(seat), place
        except OSError as error:
            log.warning("worker_not_started", error=error)
            self._give_up("successor_not_started")

    def _go_on(self, place: Place) -> None:
        if place.vacant:
            self._give_up("worker_failed")
        elif place.successor is None:
            if place.settled:
                self._rolling = None
                log.info("worker_restarted", left=len(self._queue))
        elif place.successor.poll() is not None:
            place.successor = None
            self._give_up("successor_failed")
        elif not place.stopping and self._nursery.is_waiting(place.successor.pid):
            place.make_room(self._clock() + self._patience)

    def _give_up(self, reason: str) -> None:
        self._queue, self._rolling = [], None
        log.warning("rolling_restart_given_up", reason=reason)
