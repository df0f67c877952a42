"""The life of a worker process: what the seam, the agent and the keeper share, from start to clean stop."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, Final, TypeVar

from cassandra.cluster import Session

from common.cassandra import AsyncStore
from common.errors import Lambda360Error
from common.events import Rules, validation_version
from common.log_identity import LogIdentity
from common.measures import logic_version
from common.settings import Settings, SpeedSettings
from speed_layer.alerts import AlertSettings
from speed_layer.app import keep_place, keep_reading, make_app
from speed_layer.breaker import Breaker
from speed_layer.cache import FactCache
from speed_layer.dead_letters import DeadLetters
from speed_layer.keeper import Keeper
from speed_layer.lanes import Lanes
from speed_layer.letter_table import LetterTable
from speed_layer.log_watch import LogWatch
from speed_layer.progress import ProgressTable
from speed_layer.publisher import Copies, Publisher
from speed_layer.retry import Retry
from speed_layer.seam import BACKLOG_BYTES, DAY_SECONDS, Bundle, Linked
from speed_layer.store import CassandraStore
from speed_layer.worker import Delivered, Ports, Step, Terms, Worker

log = logging.getLogger(__name__)
T = TypeVar("T")
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
            CassandraStore(self.store, self.store_retry, speed.delta_ttl_days * SECONDS_PER_DAY),
            self.cache,
            self.lanes,
            Copies(settings, self.publisher, logic_version()).publish,
            letters.publish,
        )
        terms = Terms(settings.log.topic, recorded.partitions, rules, AlertSettings(speed.large_refund_cents))
        self.worker = Worker(terms, ports)
        table = ProgressTable(AsyncStore(session, recorded.partitions), speed.generation)
        version, watch = validation_version(rules), LogWatch(settings, recorded)
        self._taken: asyncio.Queue[list[Delivered]] = asyncio.Queue()
        self._steps: asyncio.Queue[Step] = asyncio.Queue(1)
        self.keeper = Keeper(speed, table, watch, self.lanes, self.store_retry, self.kafka_retry, version, clock)
        self.leaves = True
        self.app = make_app(settings, self, self.step, member)

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
        """See `Reader`. Of what waits, what is of closed lanes goes: it comes again in others."""
        self.cache.clear()
        waiting = [self._taken.get_nowait() for _ in range(self._taken.qsize())]
        for batch in waiting:
            if self.lanes.is_open(batch[0].link.lane):
                self._taken.put_nowait(batch)

    def fail(self, error: BaseException) -> None:
        """See `Reader`: the lanes close at once, so that no progress is written any more."""
        self.lanes.close()
        self.failure.get_loop().call_soon_threadsafe(_fail, self.failure, error)

    async def step(self, bundle: Bundle) -> None:
        """Hand a bundle on. It never raises, nor waits: the seam fetches no more once `backlog_bytes` are waiting.

        Faust acknowledges the bundle after this, before it is applied. That is no promise: a worker resumes at our own
        progress. In return all that comes while one batch waits for Cassandra is the next.
        """
        self._taken.put_nowait([_delivered(linked) for linked in bundle])

    async def keep_applying(self) -> None:
        """Apply, for ever, what was taken: all of it that came meanwhile in one go, up to the size of a batch."""
        while True:
            batch = await self._taken.get()
            while not self._taken.empty() and len(batch) < self.keeper.settings.batch_records:
                batch += self._taken.get_nowait()
            await self._steps.put(await _known_to_end(self.worker.apply(batch)))

    async def keep_publishing(self) -> None:
        """Publish, for ever, what was applied, while the next batch is applied; then the lanes move on."""
        while True:
            await _known_to_end(self.worker.publish(await self._steps.get()))

    async def keep_counting(self) -> None:
        """Say now and then how many records were applied, and how many of them have dates beyond their append time."""
        received = future_dated = 0
        while True:
            await asyncio.sleep(COUNT_SECONDS)
            new, odd = self.worker.counts["received"] - received, self.worker.future_dated - future_dated
            received, future_dated = self.worker.counts["received"], self.worker.future_dated
            if new:
                log.info("event=applied records=%d future_dated=%d cached_customers=%d", new, odd, len(self.cache))

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
                raise Lambda360Error(f"Faust ended: {self.app.crash_reason!r}")
            await self._within(self.stop_seconds / 4, self.keeper.write())
        finally:
            self.lanes.close()
            for task in (working, stopping, crashed, watching):
                task.cancel()
            await self._within(self.stop_seconds, self.app.stop())

    async def _work(self) -> None:
        await self.app.start()  # returns after the first assignment
        keeper = self.keeper
        reading = keep_reading(self.app, self.lanes)
        chores = (keeper.keep_beating(), keeper.keep_checking(), self.keep_counting())
        try:
            async with asyncio.TaskGroup() as tasks:
                for chore in (self.keep_applying(), self.keep_publishing(), reading, *chores):
                    tasks.create_task(chore)
        except ExceptionGroup as errors:  # the others have ended, too
            raise _innermost(errors) from errors

    async def _within(self, seconds: float, step: Coroutine[Any, Any, None]) -> None:
        try:
            await asyncio.wait_for(step, seconds)
        except Exception as error:
            log.warning("event=stop_cut_short error=%r", error)


def _retry(speed: SpeedSettings, target: str) -> Retry:
    breaker = Breaker(target, speed.breaker_threshold, speed.breaker_recovery_seconds)
    return Retry(breaker, speed.retry_min_seconds, speed.retry_max_seconds)


def _delivered(linked: Linked) -> Delivered:
    record = linked.record
    return Delivered(
        record.offset, record.key, record.value, record.timestamp * 1000, linked.link, tuple(record.headers or ())
    )


async def _known_to_end(work: Awaitable[T]) -> T:
    """What `work` comes to. Raises Lambda360Error whatever it fails with: the worker stops, nothing is passed by."""
    try:
        return await work
    except Exception as error:
        log.exception("event=defect")
        text = f"the worker met what it does not know, and stops: {_innermost(error)!r}"
        raise Lambda360Error(text) from error


def _innermost(error: BaseException) -> BaseException:
    return _innermost(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _fail(failure: asyncio.Future[None], error: BaseException) -> None:
    if not failure.done():
        failure.set_exception(error)
