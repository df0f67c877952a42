"""Bundles on their way through a worker: while one micro-batch is published, the next is applied, and others wait."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import structlog

from common.errors import WorkerError
from speed_layer.apply.delivered import Bundle, Delivered, Linked
from speed_layer.apply.lanes import Lanes
from speed_layer.apply.worker import Step, Worker

log = structlog.get_logger(__name__)
T = TypeVar("T")


class Pipeline:
    """Hands what is taken to `worker`, in order, in micro-batches of `batch_records` or a bundle more."""

    def __init__(self, worker: Worker, lanes: Lanes, batch_records: int) -> None:
        self._worker, self._lanes, self._batch_records = worker, lanes, batch_records
        self._taken: asyncio.Queue[list[Delivered]] = asyncio.Queue()
        self._steps: asyncio.Queue[Step] = asyncio.Queue(1)

    async def take(self, bundle: Bundle) -> None:
        """Take a bundle. It never raises, nor waits: the seam fetches no more once too many bytes are waiting.

        Faust acknowledges the bundle after this, before it is applied. That is no promise: a worker resumes at our own
        progress. In return all that comes while one batch waits for Cassandra is the next.
        """
        self._taken.put_nowait([_delivered(linked) for linked in bundle])

    def forget(self) -> None:
        """Of what waits, what is of closed lanes goes: it comes again in others."""
        waiting = [self._taken.get_nowait() for _ in range(self._taken.qsize())]
        for batch in waiting:
            if self._lanes.is_open(batch[0].link.lane):
                self._taken.put_nowait(batch)

    async def keep_applying(self) -> None:
        """Apply, for ever, what was taken: all of it that came meanwhile in one go, up to the size of a batch."""
        while True:
            batch = await self._taken.get()
            while not self._taken.empty() and len(batch) < self._batch_records:
                batch += self._taken.get_nowait()
            await self._steps.put(await _known_to_end(self._worker.apply(batch)))

    async def keep_publishing(self) -> None:
        """Publish, for ever, what was applied, while the next batch is applied; then the lanes advance."""
        while True:
            await _known_to_end(self._worker.publish(await self._steps.get()))


def innermost(error: BaseException) -> BaseException:
    """The first error in a group of them, or the error."""
    return innermost(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _delivered(linked: Linked) -> Delivered:
    record = linked.record
    return Delivered(
        record.offset, record.key, record.value, record.timestamp * 1000, linked.link, tuple(record.headers or ())
    )


async def _known_to_end(work: Awaitable[T]) -> T:
    """What `work` comes to. Raises WorkerError whatever it fails with: the worker stops, nothing is passed by."""
    try:
        return await work
    except Exception as error:
        log.exception("defect")
        text = f"the worker met what it does not know, and stops: {innermost(error)!r}"
        raise WorkerError(text) from error
