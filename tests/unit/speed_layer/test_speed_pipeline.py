"""Bundles through a worker: in order, together where they waited, and none that must not be forgotten."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from common.algebra.facts import Delta
from common.errors import Lambda360Error
from common.log.copies import Copy
from common.log.position import Position
from speed_layer.apply.delivered import Bundle, Delivered, Linked
from speed_layer.apply.lanes import Lane, Lanes
from speed_layer.apply.pipeline import APPLYING, UNPUBLISHED, Pipeline
from speed_layer.apply.worker import Step, Worker
from tests.support.speed_fakes import start


class Recorder:
    """Stands in for the worker: what it was given, and a gate that holds a step up."""

    def __init__(self) -> None:
        self.applied, self.published = list[list[int]](), list[list[Step]]()
        self.gate = asyncio.Event()

    async def apply(self, batch: Sequence[Delivered]) -> Step:
        self.applied.append([record.offset for record in batch])
        return Step()

    async def publish(self, steps: Sequence[Step]) -> None:
        await self.gate.wait()
        self.published.append(list(steps))


class Slow(Recorder):
    """Applies each micro-batch when it is told to, and publishes at once."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = list[asyncio.Future[Step]]()
        self.gate.set()

    async def apply(self, batch: Sequence[Delivered]) -> Step:
        await super().apply(batch)
        self.steps.append(asyncio.get_running_loop().create_future())
        return await self.steps[-1]


def bundle(lane: Lane, *offsets: int, is_last: bool = True) -> Bundle:
    links = lane.send((offset, 1) for offset in offsets)
    made = (SimpleNamespace(offset=o, key=b"ada", value=b"", timestamp=0, headers=()) for o in offsets)
    return Bundle(tuple(map(Linked, made, links)), is_last)


def step(offset: int) -> Step:
    """A micro-batch that can be told from others."""
    return Step(copies=[Copy(Position(0, offset), "ada", Delta.reset(0, None), ())])


async def settled(*work: Any) -> None:
    """Let the tasks run until all of them wait."""
    tasks = [asyncio.create_task(each) for each in work]
    for _ in range(50):
        await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if not isinstance(result, asyncio.CancelledError):
            raise cast(BaseException, result)


def test_what_waited_is_applied_together_up_to_a_batch_and_bounded_ahead_of_its_publishing() -> None:
    """R14: nothing is acknowledged here, so the last ones are not begun."""
    recorder, lanes = Recorder(), Lanes()
    pipeline, lane = Pipeline(cast(Worker, recorder), lanes, 3), lanes.open(0, start(0))

    async def scene() -> None:
        for offset in range(0, 4 * UNPUBLISHED + 8, 2):
            await pipeline.take(bundle(lane, offset, offset + 1))
        await settled(pipeline.keep_applying(), pipeline.keep_publishing())

    asyncio.run(scene())
    assert recorder.applied == [list(range(start, start + 4)) for start in range(0, 4 * UNPUBLISHED, 4)]
    assert recorder.published == []


def test_what_was_fetched_together_is_applied_together_and_waits_a_moment_for_what_never_comes() -> None:
    recorder, lanes = Recorder(), Lanes()
    pipeline, first, other = (
        Pipeline(cast(Worker, recorder), lanes, 9),
        lanes.open(0, start(0)),
        lanes.open(1, start(0)),
    )

    async def scene() -> None:
        applying = asyncio.create_task(pipeline.keep_applying())
        await pipeline.take(bundle(first, 0, 1, is_last=False))
        await settled()  # Faust takes some turns of the loop for each of them
        assert recorder.applied == []
        await pipeline.take(bundle(other, 7))
        await settled()
        assert recorder.applied == [[0, 1, 7]]
        await pipeline.take(bundle(first, 2, is_last=False))
        while len(recorder.applied) < 2:
            await asyncio.sleep(0.001)
        applying.cancel()

    asyncio.run(scene())
    assert recorder.applied[1] == [2]


def test_few_micro_batches_are_applied_at_once_and_a_record_that_comes_alone_does_not_wait_for_them() -> None:
    recorder, lanes = Slow(), Lanes()
    pipeline, lane = Pipeline(cast(Worker, recorder), lanes, 3), lanes.open(0, start(0))

    async def scene() -> None:
        work = [asyncio.create_task(each) for each in (pipeline.keep_applying(), pipeline.keep_publishing())]
        for offset in range(APPLYING + 2):
            await pipeline.take(bundle(lane, offset))
            await settled()
        assert recorder.applied == [[offset] for offset in range(APPLYING)]
        recorder.steps[0].set_result(step(0))
        await settled()
        assert recorder.applied[APPLYING:] == [[APPLYING, APPLYING + 1]]
        for task in work:
            task.cancel()

    asyncio.run(scene())


def test_micro_batches_are_published_in_their_order_and_those_together_that_wait() -> None:
    """R14: the second and the third one are applied first."""
    recorder, lanes = Slow(), Lanes()
    pipeline, lane = Pipeline(cast(Worker, recorder), lanes, 3), lanes.open(0, start(0))

    async def scene() -> None:
        work = [asyncio.create_task(each) for each in (pipeline.keep_applying(), pipeline.keep_publishing())]
        for offset in range(4):
            await pipeline.take(bundle(lane, offset))
            await settled()
        for number in (2, 1):
            recorder.steps[number].set_result(step(number))
        await settled()
        assert recorder.published == []
        recorder.steps[0].set_result(step(0))
        await settled()
        assert recorder.published == [[step(0), step(1), step(2)]]
        recorder.steps[3].set_result(step(3))
        await settled()
        assert recorder.published[1:] == [[step(3)]]
        for task in work:
            task.cancel()

    asyncio.run(scene())


def test_what_waits_of_a_lane_that_is_open_is_not_forgotten() -> None:
    """R12: only what comes again in another lane may go."""
    recorder, lanes = Recorder(), Lanes()
    pipeline, closed, opened = (
        Pipeline(cast(Worker, recorder), lanes, 10),
        lanes.open(0, start(0)),
        lanes.open(1, start(0)),
    )

    async def scene() -> None:
        await pipeline.take(bundle(closed, 0, 1))
        await pipeline.take(bundle(opened, 7))
        lanes.open(0, start(0))
        pipeline.forget()
        await settled(pipeline.keep_applying())

    asyncio.run(scene())
    assert recorder.applied == [[7]]


def test_a_defect_ends_the_worker_in_words() -> None:
    """R9: nothing is passed by."""

    class Broken(Recorder):
        async def apply(self, batch: Sequence[Delivered]) -> Step:
            raise ExceptionGroup("tasks", [KeyError("c1")])

    lanes = Lanes()
    pipeline = Pipeline(cast(Worker, Broken()), lanes, 10)

    async def scene() -> None:
        await pipeline.take(bundle(lanes.open(0, start(0)), 0))
        await settled(pipeline.keep_applying())

    with pytest.raises(Lambda360Error, match=r"stops at an error that it does not expect: KeyError\('c1'\)"):
        asyncio.run(scene())
