"""The life of a worker process: what the seam, the agent and the keeper share, from start to clean stop."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Final

from cassandra.cluster import Session
from faust.types import EventT

from common.cassandra import AsyncStore
from common.errors import Lambda360Error
from common.events import Rules, validation_version
from common.log_identity import LogIdentity
from common.settings import Settings
from speed_layer.app import keep_reading, make_app
from speed_layer.cache import FactCache
from speed_layer.dead_letters import DeadLetters
from speed_layer.keeper import Keeper
from speed_layer.lanes import Lanes
from speed_layer.log_watch import LogWatch
from speed_layer.progress import ProgressTable
from speed_layer.retry import Retry
from speed_layer.seam import BACKLOG_BYTES, DAY_SECONDS
from speed_layer.store import CassandraStore
from speed_layer.worker import Delivered, Worker

log = logging.getLogger(__name__)
SECONDS_PER_DAY: Final = 86_400
COUNT_SECONDS: Final = 10.0
TAKEN_BATCHES: Final = 10
"""Micro-batches taken and not yet applied, at most."""


class Process:
    """A worker process: what the seam, the agent and the keeper share, and how it ends."""

    def __init__(self, settings: Settings, session: Session, recorded: LogIdentity, clock: Callable[[], int]):
        speed, rules = settings.speed, Rules(settings.log.currency)
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.stop_seconds = speed.session_timeout_seconds / 2
        self.lanes, self.backlog_bytes = Lanes(), BACKLOG_BYTES
        self.cache = FactCache(speed.cache_customers)
        retry = Retry(speed.retry_min_seconds, speed.retry_max_seconds)
        facts = CassandraStore(AsyncStore(session, speed.in_flight), retry, speed.delta_ttl_days * SECONDS_PER_DAY)
        letters = DeadLetters(settings, retry)
        names = (settings.log.topic, recorded.partitions, rules)
        self.worker = Worker(*names, facts, self.cache, self.lanes, letters.publish, in_flight=speed.in_flight)
        table = ProgressTable(AsyncStore(session, recorded.partitions), speed.generation)
        version, watch = validation_version(rules), LogWatch(settings, recorded)
        self._taken: asyncio.Queue[list[Delivered]] = asyncio.Queue(TAKEN_BATCHES)
        self.keeper = Keeper(speed, table, watch, self.lanes, retry, version, clock)
        self.app = make_app(settings, self, self.step)

    async def starts(self, partitions: Iterable[int]) -> Mapping[int, int]:
        """See `Reader`."""
        try:
            return await self.keeper.starts(partitions)
        except Exception as error:
            self.fail(error)
            await asyncio.sleep(DAY_SECONDS)
            raise

    def forget(self) -> None:
        """See `Reader`."""
        self.cache.clear()

    def fail(self, error: BaseException) -> None:
        """See `Reader`: the lanes close at once, so that no progress is written any more."""
        self.lanes.close()
        self.failure.get_loop().call_soon_threadsafe(_fail, self.failure, error)

    async def step(self, events: Sequence[EventT[Any]]) -> None:
        """Hand one micro-batch on, and wait while too many are under way. It never raises.

        Faust acknowledges the batch after this, before it is applied. That is no promise: a worker resumes at our own
        progress. In return the next batch is filled while this one waits for Cassandra.
        """
        await self._taken.put([_delivered(event.message) for event in events])

    async def keep_processing(self) -> None:
        """Apply, for ever, what was taken: all of it that came meanwhile in one go, up to the size of a batch."""
        while True:
            batch = await self._taken.get()
            while not self._taken.empty() and len(batch) < self.keeper.settings.batch_records:
                batch = batch + self._taken.get_nowait()
            try:
                await self.worker.process(batch)
            except Exception as error:
                log.exception("event=defect")
                text = f"the worker met what it does not know, and stops: {_innermost(error)!r}"
                raise Lambda360Error(text) from error

    async def keep_counting(self) -> None:
        """Say now and then how many records were applied, and how many of them have dates beyond their append time."""
        applied = future_dated = 0
        while True:
            await asyncio.sleep(COUNT_SECONDS)
            new, odd = self.worker.applied - applied, self.worker.future_dated - future_dated
            applied, future_dated = self.worker.applied, self.worker.future_dated
            if new:
                log.info("event=applied records=%d future_dated=%d cached_customers=%d", new, odd, len(self.cache))

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set. Raises what ended the worker otherwise."""
        working = asyncio.ensure_future(self._work())
        stopping = asyncio.ensure_future(stop.wait())
        crashed = asyncio.ensure_future(self.app.wait_for_crash())
        ends: set[asyncio.Future[Any]] = {working, stopping, crashed, self.failure}
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for end in done - {stopping, crashed}:
                end.result()
            if stopping not in done:
                raise Lambda360Error(f"Faust ended: {self.app.crash_reason!r}")
            await self._within(self.stop_seconds / 4, self.keeper.write())
        finally:
            self.lanes.close()
            for task in (working, stopping, crashed):
                task.cancel()
            await self._within(self.stop_seconds, self.app.stop())

    async def _work(self) -> None:
        await self.app.start()  # returns after the first assignment
        keeper = self.keeper
        chores = (keeper.keep_beating(), keeper.keep_checking(), keeper.keep_expiring(), self.keep_counting())
        await asyncio.gather(self.keep_processing(), keep_reading(self.app, self.lanes), *chores)

    async def _within(self, seconds: float, step: Coroutine[Any, Any, None]) -> None:
        try:
            await asyncio.wait_for(step, seconds)
        except Exception as error:
            log.warning("event=stop_cut_short error=%r", error)


def _delivered(message: Any) -> Delivered:
    return Delivered(message.offset, message.key, message.value, round(message.timestamp * 1000) * 1000, message.link)


def _innermost(error: BaseException) -> BaseException:
    return _innermost(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _fail(failure: asyncio.Future[None], error: BaseException) -> None:
    if not failure.done():
        failure.set_exception(error)
