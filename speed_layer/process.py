"""The life of a worker process: what the seam, the agent and the keeper share, from start to clean stop."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Final

import structlog
from cassandra.cluster import Session

from common.algebra.versions import logic_version
from common.errors import WorkerError
from common.log.events import Rules, validation_version
from common.servers.breaker import Breaker
from common.servers.cassandra import AsyncStore
from common.servers.log_identity import LogIdentity
from common.servers.retry import Retry
from common.settings import Settings, SpeedSettings
from common.tables import Tables
from speed_layer.apply.alerts import AlertSettings
from speed_layer.apply.cache import FactCache
from speed_layer.apply.lanes import Lanes
from speed_layer.apply.pipeline import Pipeline, innermost
from speed_layer.apply.worker import Ports, Terms, Worker
from speed_layer.progress.keeper import Keeper
from speed_layer.progress.log_watch import LogWatch
from speed_layer.progress.table import ProgressTable
from speed_layer.publish.dead_letters import DeadLetters
from speed_layer.publish.publisher import Copies, Publisher
from speed_layer.read.app import keep_place, keep_reading, make_app
from speed_layer.read.seam import BACKLOG_BYTES, DAY_SECONDS
from speed_layer.store.cassandra_store import CassandraStore
from speed_layer.store.letters import LetterTable

log = structlog.get_logger(__name__)
SECONDS_PER_DAY: Final = 86_400
COUNT_SECONDS: Final = 10.0


class Process:
    """A worker process: what the seam, the agent and the keeper share, and how it ends."""

    def __init__(
        self,
        settings: Settings,
        session: Session,
        recorded: LogIdentity,
        clock: Callable[[], int],
        member: str | None = None,
    ) -> None:
        speed, rules = settings.speed, Rules(settings.log.currency)
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.stop_seconds = speed.session_timeout_seconds / 2
        self.lanes, self.backlog_bytes = Lanes(), BACKLOG_BYTES
        self.cache = FactCache(speed.cache_customers, speed.cache_facts)
        self.store_retry, self.kafka_retry = _retry(speed, "cassandra"), _retry(speed, "kafka")
        self.store = AsyncStore(session, speed.in_flight)
        self.publisher = Publisher(settings, self.kafka_retry)
        letters = DeadLetters(settings, LetterTable(self.store), self.store_retry, self.publisher)
        ports = Ports(
            CassandraStore(
                self.store, self.store_retry, Tables(speed.generation), speed.delta_ttl_days * SECONDS_PER_DAY
            ),
            self.cache,
            self.lanes,
            Copies(settings, self.publisher, logic_version()).publish,
            letters.publish,
        )
        terms = Terms(settings.log.topic, recorded.partitions, rules, AlertSettings(speed.large_refund_cents))
        self.worker = Worker(terms, ports)
        table = ProgressTable(AsyncStore(session, recorded.partitions), speed.generation)
        version, watch = validation_version(rules), LogWatch(settings, recorded)
        self.pipeline = Pipeline(self.worker, self.lanes, speed.batch_records)
        self.keeper = Keeper(speed, table, watch, self.lanes, self.store_retry, self.kafka_retry, version, clock)
        self.leaves = True
        self.app = make_app(settings, self, self.pipeline.take, member)

    @property
    def paused(self) -> bool:
        """See `Reader`: a server is left alone, so nothing more is fetched that would have to wait for it."""
        return self.store_retry.breaker.is_open or self.kafka_retry.breaker.is_open

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
        self.pipeline.forget()

    def fail(self, error: BaseException) -> None:
        """See `Reader`: the lanes close at once, so that no progress is written any more."""
        self.lanes.close()
        self.failure.get_loop().call_soon_threadsafe(_fail, self.failure, error)

    async def keep_counting(self) -> None:
        """Say now and then how many records were applied, and how many of them have dates beyond their append time."""
        received = future_dated = 0
        while True:
            await asyncio.sleep(COUNT_SECONDS)
            new, odd = self.worker.counts["received"] - received, self.worker.future_dated - future_dated
            received, future_dated = self.worker.counts["received"], self.worker.future_dated
            if new:
                log.info("applied", records=new, future_dated=odd, cached_customers=len(self.cache))

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set. Raises what ended the worker otherwise."""
        working = asyncio.ensure_future(self._work())
        stopping = asyncio.ensure_future(stop.wait())
        crashed = asyncio.ensure_future(self.app.wait_for_crash())
        watching = asyncio.ensure_future(keep_place(self.app))
        ends: set[asyncio.Future[Any]] = {working, stopping, crashed, self.failure}
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for end in done - {stopping, crashed}:
                end.result()
            if stopping not in done:
                raise WorkerError(f"Faust ended: {self.app.crash_reason!r}")
            await self._within(self.stop_seconds / 4, self.keeper.write())
        finally:
            self.lanes.close()
            for task in (working, stopping, crashed, watching):
                task.cancel()
            await self._within(self.stop_seconds, self.app.stop())

    async def _work(self) -> None:
        await self.app.start()  # returns after the first assignment
        pipeline, keeper = self.pipeline, self.keeper
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


def _retry(speed: SpeedSettings, server: str) -> Retry:
    breaker = Breaker(server, speed.breaker_threshold, speed.breaker_recovery_seconds)
    return Retry(breaker, speed.retry_min_seconds, speed.retry_max_seconds)


def _fail(failure: asyncio.Future[None], error: BaseException) -> None:
    if not failure.done():
        failure.set_exception(error)
