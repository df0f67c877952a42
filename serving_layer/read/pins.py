"""Keeps a pin for all requests of the process: progress and pointer, read again in the background (R20, R22).

A kept pin is what a request of `reading.read` would have pinned and read of progress some time ago; `quick.py` says
what a request may make of it, and why an old one is right.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from common.errors import StoreUnavailable
from common.progress import Progress
from common.settings import ServingSettings
from serving_layer.read.store import Pin, StoreSource, ViewStore

ATTEMPTS: Final = 4
"""How often progress and pointer are read at most, until both are of one generation."""
REPORT_SECONDS: Final = 10.0
"""The least time between two log lines about reads that failed."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KeptPin:
    """Progress of all partitions, and the pointer and the partition count as they were after that."""

    pin: Pin
    progress: Mapping[int, Progress]
    taken_at: float
    """When the read of progress began; seconds of the keeper's clock."""


async def take(store: ViewStore, seconds: Callable[[], float], guess: Pin) -> KeptPin:
    """Returns a new kept pin. `guess` is any earlier pin: its generation is the one whose progress is read first.

    1. Progress is read before the pointer. What stands in the pointer before a worker goes on, as an accepted loss
       does (R15), is then in the pointer of every kept pin whose progress is beyond it.
    2. The pointer may name another generation by then (R13). Its progress is read, and then the pointer again.

    Raises StoreUnavailable if the store does not answer, or if the generation is another one after each of ATTEMPTS
    reads.
    """
    for _ in range(ATTEMPTS):
        taken_at = seconds()
        progress = await store.progress(guess.pointer.generation, range(guess.partitions))
        pin = await store.pin()
        if is_of_one_generation(guess, pin):
            return KeptPin(pin, progress, taken_at)
        guess = pin
    raise StoreUnavailable(f"the generation of the speed tables was another one after each of {ATTEMPTS} reads")


def is_of_one_generation(before: Pin, after: Pin) -> bool:
    """Whether progress that was read by the pin `before` is that of the pin `after`."""
    return (before.pointer.generation, before.partitions) == (after.pointer.generation, after.partitions)


def seconds_since_boot() -> float:
    """A clock that never goes back, and goes on while the machine or the process is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class PinKeeper:
    """Holds the last kept pin, and gives it as long as it is young.

    `seconds` is a clock that never goes back, and does not stand still while the process is suspended.
    """

    def __init__(
        self, source: StoreSource, settings: ServingSettings, seconds: Callable[[], float] = seconds_since_boot
    ) -> None:
        self._source = source
        self._seconds = seconds
        self._interval = settings.pin_interval_seconds
        self._max_age = settings.pin_max_age_seconds
        self._last: KeptPin | None = None
        self._silent_until = 0.0

    def young(self) -> KeptPin | None:
        """Returns the last kept pin, or None if there is none, or if it is older than the setting allows."""
        last = self._last
        return last if last is not None and self._seconds() - last.taken_at <= self._max_age else None

    async def renew(self) -> KeptPin:
        """Takes a new kept pin, keeps and returns it. Raises StoreUnavailable; the last one is kept then."""
        store = self._source()
        guess = await store.pin() if self._last is None else self._last.pin
        self._last = await take(store, self._seconds, guess)
        return self._last

    async def keep(self) -> None:
        """Renews the pin at the setting's interval until it is cancelled.

        While that fails, requests read everything themselves as soon as the last pin is too old, and are told why.
        """
        self._silent_until = self._seconds() + REPORT_SECONDS  # a connection that is being made is reported elsewhere
        while True:
            try:
                await self.renew()
            except StoreUnavailable as error:
                self._report(error)
            except Exception:  # a defect: without this the pin would never be renewed, and nobody would know
                log.exception("pin_not_renewed")
            await asyncio.sleep(self._interval)

    def _report(self, error: StoreUnavailable) -> None:
        if self._seconds() >= self._silent_until:
            log.warning("unavailable", server=error.server, action="requests read everything themselves", error=error)
            self._silent_until = self._seconds() + REPORT_SECONDS
