"""What is known of the batches: read from the store once in a while, however often it is asked for."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from common.algebra.pointer import Pointer
from common.algebra.runs import LOOKED_AT, Sla, sla_of
from common.errors import StoreUnavailable
from serving_layer.read.runs import Run, decode
from serving_layer.read.store import StoreSource

CACHE_SECONDS: Final = 15.0
"""Between two reads, whoever asks how often: they cost two statements."""


@dataclass(frozen=True, slots=True)
class Batches:
    """The pointer and the newest runs, at most LOOKED_AT, the newest first."""

    pointer: Pointer
    runs: Sequence[Run]

    @property
    def last_published(self) -> Run | None:
        """The newest published run; after a rollback it is not the current one."""
        return next((run for run in self.runs if run.is_published), None)

    def sla(self, limit_hours: float) -> Sla:
        """Returns the SLA over the publications that are known."""
        kept = {batch.batch_id: batch.published_at for batch in self.pointer.complete}
        ended = {run.batch_id: run.finished_at for run in self.runs if run.is_published and run.finished_at is not None}
        return sla_of((kept | ended).values(), limit_hours)


class BatchFigures:
    """Gives what is known of the batches. `clock` returns microseconds since the epoch, UTC."""

    def __init__(self, source: StoreSource, clock: Callable[[], int]) -> None:
        self._source = source
        self._clock = clock
        self._turn = asyncio.Lock()
        self._read_at: int | None = None
        self._batches: Batches | None = None

    async def now(self) -> Batches | None:
        """Returns what a read gave that is CACHE_SECONDS old at most; None if the store did not answer then."""
        async with self._turn:  # whoever asks meanwhile gets the same answer
            if self._read_at is None or not 0 <= self._clock() - self._read_at < CACHE_SECONDS * 1e6:
                self._batches = await self._read()
                self._read_at = self._clock()
            return self._batches

    async def _read(self) -> Batches | None:
        try:
            store = self._source()
            pin, texts = await asyncio.gather(store.pin(), store.runs(LOOKED_AT))
        except StoreUnavailable:
            return None
        return Batches(pin.pointer, [run for run in map(decode, texts) if run is not None])
