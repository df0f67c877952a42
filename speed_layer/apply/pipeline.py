"""The pipeline of a worker: micro-batches are applied while others are, and published in the log's order."""

import asyncio
from collections import deque
from collections.abc import Awaitable
from contextlib import suppress
from typing import Final, NamedTuple, TypeVar

import structlog

from common.errors import WorkerError
from speed_layer.apply.delivered import Bundle, Delivered, Linked
from speed_layer.apply.lanes import Lanes
from speed_layer.apply.worker import Step, Worker

log = structlog.get_logger(__name__)
T = TypeVar("T")
APPLYING: Final = 4
"""Micro-batches that are applied at once.

While one waits for Cassandra, another one is decided. What comes meanwhile makes up the next: so a record that comes
alone is applied at once, and a backlog in large micro-batches.
"""
GATHER_SECONDS: Final = 0.005
"""So long a micro-batch waits for what was fetched together with its records, at most: it comes through Faust."""
UNPUBLISHED: Final = 12
"""Micro-batches that are applied, or being applied, and not published yet, at most."""


class Pipeline:
    """Hands queued bundles to `worker`, in order, in micro-batches of about `batch_records` records.

    What was fetched together is applied together, as long as it fits.

    A bundle is not split: a micro-batch may exceed `batch_records` by the records of one bundle.
    """

    def __init__(self, worker: Worker, lanes: Lanes, batch_records: int) -> None:
        self._worker = worker
        self._lanes = lanes
        self._batch_records = batch_records
        self._taken: asyncio.Queue[_Taken] = asyncio.Queue()
        self._steps: asyncio.Queue[asyncio.Task[Step]] = asyncio.Queue()
        self._applying = asyncio.Semaphore(APPLYING)
        self._unpublished = asyncio.Semaphore(UNPUBLISHED)

    async def take(self, bundle: Bundle) -> None:
        """Queue a bundle. Never raises, and never waits.

        The queue is bounded by the seam, which stops fetching when too many bytes are queued. Faust acknowledges the
        bundle when this returns, before the bundle is applied. Nothing relies on that acknowledgement: a worker resumes
        at our own progress.
        """
        self._taken.put_nowait(_Taken([_delivered(linked) for linked in bundle.records], bundle.is_last))

    def forget(self) -> None:
        """Drop the queued bundles whose lane is closed. Their records are redelivered in a new lane."""
        waiting = [self._taken.get_nowait() for _ in range(self._taken.qsize())]
        for taken in waiting:
            if self._lanes.is_open(taken.records[0].link.lane):
                self._taken.put_nowait(taken)

    async def keep_applying(self) -> None:
        """Begin to apply queued bundles for ever, APPLYING micro-batches at once.

        Those queued while there is no room make up the next micro-batch, up to its size.
        """
        try:
            async with asyncio.TaskGroup() as steps:
                while True:
                    await self._unpublished.acquire()
                    await self._applying.acquire()
                    step = steps.create_task(_known_to_end(self._worker.apply(await self._next())))
                    step.add_done_callback(lambda _: self._applying.release())
                    self._steps.put_nowait(step)
        except BaseExceptionGroup as errors:
            raise innermost(errors) from errors

    async def _next(self) -> list[Delivered]:
        """Returns the records of the next micro-batch, once there are any."""
        batch, is_last = await self._taken.get()
        with suppress(TimeoutError):
            async with asyncio.timeout(GATHER_SECONDS):
                while len(batch) < self._batch_records and not (is_last and self._taken.empty()):
                    more, is_last = await self._taken.get()
                    batch += more
        return batch

    async def keep_publishing(self) -> None:
        """Publish micro-batches for ever, in the order in which they began: those together that wait for it."""
        begun = deque[asyncio.Task[Step]]()
        while True:
            begun.append(await self._steps.get())
            while begun:
                steps = [await begun.popleft()]
                while not self._steps.empty():
                    begun.append(self._steps.get_nowait())
                while begun and begun[0].done():
                    steps.append(begun.popleft().result())
                await _known_to_end(self._worker.publish(steps))
                for _ in steps:
                    self._unpublished.release()


class _Taken(NamedTuple):
    """What is queued of one bundle."""

    records: list[Delivered]
    is_last: bool


def innermost(error: BaseException) -> BaseException:
    """Returns the first error of a group, and any other error as it is."""
    return innermost(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _delivered(linked: Linked) -> Delivered:
    record = linked.record
    return Delivered(
        offset=record.offset,
        key=record.key,
        value=record.value,
        appended_at=record.timestamp * 1000,
        link=linked.link,
        headers=tuple(record.headers or ()),
    )


async def _known_to_end(work: Awaitable[T]) -> T:
    """Returns the result of `work`. Raises WorkerError for any failure of it: the worker stops and skips no record."""
    try:
        return await work
    except Exception as error:
        log.exception("defect")
        text = f"the worker stops at an error that it does not expect: {innermost(error)!r}"
        raise WorkerError(text) from error
