"""The life of a worker process, from start to clean stop: Faust around the core."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Final

import structlog
from cassandra.cluster import Session

from common.algebra.generation import generation_of
from common.algebra.pointer import Pointer
from common.errors import WorkerError
from common.servers.cassandra import AsyncSession
from common.servers.log_identity import LogIdentity
from common.settings import Settings
from speed_layer.apply.lanes import Start
from speed_layer.apply.pipeline import innermost
from speed_layer.core import Outside, assemble
from speed_layer.progress.generation import GenerationWatch
from speed_layer.progress.log_watch import LogWatch
from speed_layer.publish.publisher import KafkaSender
from speed_layer.read.app import keep_membership, keep_reading, make_app
from speed_layer.read.seam import BACKLOG_BYTES, DAY_SECONDS

log = structlog.get_logger(__name__)
COUNT_SECONDS: Final = 10.0


class Process:
    """A worker process: the core, the app that feeds it, and how both end."""

    def __init__(
        self,
        settings: Settings,
        session: Session,
        recorded: LogIdentity,
        clock: Callable[[], int],
        pointer: Pointer,
        member: str | None = None,
    ) -> None:
        outside = Outside(session=session, send=KafkaSender(settings), watch=LogWatch(settings, recorded), clock=clock)
        self.core = assemble(settings, recorded, outside, pointer)
        self._generation = GenerationWatch(AsyncSession(session, 1), generation_of(pointer))
        self.lanes = self.core.lanes
        self.backlog_bytes = BACKLOG_BYTES
        self.fetch_wait_seconds = settings.speed.fetch_wait_seconds
        self.leaves = True
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.stop_seconds = settings.speed.session_timeout_seconds / 2
        self.app = make_app(settings, self, self.core.pipeline.take, member)

    @property
    def paused(self) -> bool:
        """See `Reader`."""
        return self.core.paused

    async def starts(self, partitions: Iterable[int]) -> Mapping[int, Start]:
        """See `Reader`."""
        try:
            return await self.core.keeper.starts(partitions)
        except Exception as error:
            self.fail(error)
            await asyncio.sleep(DAY_SECONDS)
            raise

    def forget(self) -> None:
        """See `Reader`."""
        self.core.forget()

    def fail(self, error: BaseException) -> None:
        """See `Reader`: the lanes close at once, so that no progress is written any more."""
        self.lanes.close()
        self.failure.get_loop().call_soon_threadsafe(_fail, self.failure, error)

    async def keep_counting(self) -> None:
        """Say now and then how many records were applied, and how many of them have dates beyond their append time."""
        worker, cache = self.core.worker, self.core.cache
        received = future_dated = 0
        while True:
            await asyncio.sleep(COUNT_SECONDS)
            new, odd = worker.counts["received"] - received, worker.future_dated - future_dated
            received, future_dated = worker.counts["received"], worker.future_dated
            if new:
                log.info("applied", records=new, future_dated=odd, cached_customers=len(cache))

    async def run(self, stop: asyncio.Event) -> bool:
        """Work until `stop` is set, or until the pointer names another generation: returns whether it does (R13).

        After a switch the process stays a member of the group, for whoever goes on in its seat. Raises what ended the
        worker otherwise.
        """
        working = asyncio.ensure_future(self._work())
        switched = asyncio.ensure_future(self._generation.until_switch())
        stopping = asyncio.ensure_future(stop.wait())
        crashed = asyncio.ensure_future(self.app.wait_for_crash())
        watching = asyncio.ensure_future(keep_membership(self.app))
        ends: set[asyncio.Future[Any]] = {working, stopping, switched, crashed, self.failure}
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for end in done - {stopping, crashed}:
                end.result()
            if done <= {crashed}:
                raise WorkerError(f"Faust ended: {self.app.crash_reason!r}")
            if stopping not in done:
                log.info("generation_switched", to=switched.result().number, action="start_again")
                self.leaves = False
            await self._within(self.stop_seconds / 4, self.core.keeper.write())
            return stopping not in done
        finally:
            self.lanes.close()
            for task in (working, stopping, switched, crashed, watching):
                task.cancel()
            await self._within(self.stop_seconds, self.app.stop())

    async def _work(self) -> None:
        await self.app.start()  # returns after the first assignment
        pipeline, keeper = self.core.pipeline, self.core.keeper
        work = (keep_reading(self.app, self.lanes), pipeline.keep_applying(), pipeline.keep_publishing())
        chores = (keeper.keep_beating(), keeper.keep_checking(), self.keep_counting())
        try:
            async with asyncio.TaskGroup() as tasks:
                for each in (*work, *chores):
                    tasks.create_task(each)
        except ExceptionGroup as errors:  # the others have ended, too
            raise innermost(errors) from errors

    async def _within(self, seconds: float, step: Coroutine[Any, Any, None]) -> None:
        try:
            await asyncio.wait_for(step, seconds)
        except Exception as error:
            log.warning("stop_cut_short", error=repr(error))


def _fail(failure: asyncio.Future[None], error: BaseException) -> None:
    if not failure.done():
        failure.set_exception(error)
