"""A speed worker's process: the core's own parts, wired as `speed_layer/process.py` wires them, without Faust."""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from common.algebra.versions import logic_version
from common.errors import LogUnavailable
from common.log.events import Rules, validation_version
from common.servers.breaker import Breaker
from common.servers.cassandra import AsyncStore
from common.servers.retry import Retry
from common.settings import LogSettings, ServingSettings, Settings, SpeedSettings
from common.tables import Tables
from speed_layer.apply.alerts import AlertSettings
from speed_layer.apply.cache import FactCache
from speed_layer.apply.delivered import Delivered
from speed_layer.apply.lanes import Lane, Lanes
from speed_layer.apply.worker import Ports, Step, Terms, Worker
from speed_layer.progress.keeper import Keeper
from speed_layer.progress.table import ProgressTable
from speed_layer.publish.dead_letters import DeadLetters
from speed_layer.publish.publisher import Copies, Outgoing
from speed_layer.store.cassandra_store import CassandraStore
from speed_layer.store.letters import LetterTable
from tests.simulation.loop import OWNER
from tests.simulation.network import Op, Session

if TYPE_CHECKING:
    from tests.simulation.world import World

TTL_SECONDS: Final = 600
MARGIN_SECONDS: Final = 300
"""How early deltas count as expired: more than lies between a look at the log and an answer that is built on it."""
SETTINGS: Final = Settings(
    log=LogSettings(partitions=2),
    speed=SpeedSettings(progress_interval_seconds=10.0, breaker_threshold=3, breaker_recovery_seconds=5.0),
    serving=ServingSettings(max_behind_records=12, max_behind_seconds=60.0),
)
RULES: Final = Rules(SETTINGS.log.currency)
TERMS: Final = Terms(
    SETTINGS.log.topic, SETTINGS.log.partitions, RULES, AlertSettings(SETTINGS.speed.large_refund_cents)
)


class Process:
    """Something with tasks that can be killed, or stopped while what it has sent goes on."""

    def __init__(self, world: "World", name: str) -> None:
        self.world, self.name = world, name
        self.dead = self.frozen = False
        self.tasks: list[asyncio.Task[Any]] = []

    @property
    def runs(self) -> bool:
        return not self.dead and not self.frozen

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        context = contextvars.copy_context()
        context.run(OWNER.set, self)
        task = self.world.loop.create_task(work, context=context)
        task.add_done_callback(self._ended)
        self.tasks.append(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.world.failures.append((self, error))

    def kill(self) -> None:
        """Not one step more; what it has sent may still arrive."""
        self.dead = True

    async def later(self, label: str) -> None:
        """Return at some later step."""
        done: asyncio.Future[None] = self.world.loop.create_future()
        self.world.add(Op(f"{self.name}: {label}", lambda: _settle(done), self))
        await done


def _settle(done: "asyncio.Future[None]") -> None:
    if not done.done():
        done.set_result(None)


class Topics:
    """The published topics: messages land when the simulation says so, twice where an acknowledgement was lost."""

    def __init__(self, process: Process, retry: Retry) -> None:
        self._process, self._retry, self._world = process, retry, process.world

    async def publish(self, make: Callable[[], Sequence[Outgoing]]) -> None:
        messages = make()
        if messages:
            await self._retry.until_done(partial(self._send, messages))

    async def _send(self, messages: Sequence[Outgoing]) -> None:
        random, rate = self._world.random, self._world.profile.publish_failures
        fails = random.random() < rate
        arrived = random.randint(0, len(messages)) if fails else len(messages)
        await self._process.later(f"publish {len(messages)}")
        self._world.published += messages[:arrived]
        await self._process.later("publish acknowledged" if not fails else "publish fails")
        if fails:
            self._world.count("publish lost" if arrived < len(messages) else "publish acknowledged late")
            raise LogUnavailable("not acknowledged")


class Watch:
    """What a worker asks Kafka about its log."""

    def __init__(self, process: Process) -> None:
        self._process, self._world = process, process.world

    async def check(self) -> None:
        return

    async def ends(self) -> Mapping[int, int]:
        return await self._ask(lambda: dict(self._world.log.next_offsets))

    async def lasts(self) -> Mapping[int, int]:
        return await self.ends()

    async def firsts(self) -> Mapping[int, int]:
        return await self._ask(lambda: dict.fromkeys(self._world.log.next_offsets, 0))

    async def expired_below(self, now: int) -> Mapping[int, int]:
        return await self._ask(lambda: self._world.expired_below(now))

    async def _ask(self, answer: Callable[[], Mapping[int, int]]) -> Mapping[int, int]:
        fails = self._world.random.random() < self._world.profile.kafka_failures
        await self._process.later("kafka")
        if fails:
            self._world.count("kafka away")
            raise LogUnavailable("no answer")
        return answer()


class WorkerProcess(Process):
    """A member of the group: its lanes, its cache, its keeper and its worker."""

    def __init__(self, world: "World", name: str) -> None:
        super().__init__(world, name)
        speed, session = SETTINGS.speed, Session(world, self)
        self.partitions: set[int] = set()
        self.is_member = True
        self.is_applying = False
        self.lanes, self.cache = Lanes(), FactCache(world.random.choice((1, 2, 50)))
        store_retry, kafka_retry = self._retry("cassandra"), self._retry("kafka")
        self.breakers = store_retry.breaker, kafka_retry.breaker
        store = AsyncStore(session, 16)
        topics: Any = Topics(self, kafka_retry)
        watch: Any = Watch(self)
        ports = Ports(
            CassandraStore(store, store_retry, Tables(speed.generation), TTL_SECONDS),
            self.cache,
            self.lanes,
            Copies(SETTINGS, topics, logic_version()).publish,
            DeadLetters(SETTINGS, LetterTable(store), store_retry, topics).publish,
        )
        self.worker = Worker(TERMS, ports)
        table = ProgressTable(AsyncStore(session, 4), speed.generation)
        self.keeper = Keeper(
            speed,
            table,
            watch,
            self.lanes,
            store_retry,
            kafka_retry,
            validation_version(RULES),
            lambda: world.loop.now,
            world.loop.time,
        )
        self._taken: asyncio.Queue[list[Delivered]] = asyncio.Queue()
        self._steps: asyncio.Queue[Step] = asyncio.Queue(1)
        self._positions: dict[Lane, int] = {}
        for work in (self._keep_applying(), self._keep_publishing(), self.keeper.keep_beating()):
            self.spawn(work)

    def _retry(self, server: str) -> Retry:
        speed, world = SETTINGS.speed, self.world
        breaker = Breaker(server, speed.breaker_threshold, speed.breaker_recovery_seconds, world.loop.time)
        return Retry(breaker, speed.retry_min_seconds, 1.0, jitter=world.random.random, clock=world.loop.time)

    def revoke(self) -> None:
        """As the seam does: nothing of the old assignment counts from here on."""
        self.lanes.close()
        self.cache.clear()
        self.partitions = set()

    def assign(self, partitions: set[int]) -> None:
        """As the seam does: lanes open once it is known where the partitions resume."""
        self.lanes.close()
        self.partitions = partitions
        if partitions:
            self.spawn(self._seek(partitions))

    async def _seek(self, partitions: set[int]) -> None:
        starts = await self.keeper.starts(sorted(partitions))
        self.cache.clear()
        if self.partitions is partitions:
            for partition, start in starts.items():
                self._positions[self.lanes.open(partition, start)] = start

    def fetches(self) -> list[Lane]:
        """The lanes with something to fetch, while there is room for it."""
        ends, positions = self.world.log.next_offsets, self._positions
        found = [lane for lane in self.lanes.all() if positions[lane] < ends[lane.partition]]
        if not found or self._taken.qsize() > 2 or any(breaker.is_open for breaker in self.breakers):
            return []
        return found

    def fetch(self, lane: Lane, count: int) -> None:
        """Hand over the lane's next records, `count` of them at most."""
        log, position = self.world.log, self._positions[lane]
        waiting = log.from_offset(lane.partition, position)
        records = waiting[:count]
        links = lane.send((record.offset, 1) for record in records)
        at_end = len(records) == len(waiting)
        self._positions[lane] = log.next_offsets[lane.partition] if at_end else records[-1].offset + 1
        if at_end:
            lane.cleared(self._positions[lane])
        if records:
            taken = [
                Delivered(r.offset, r.key, r.value, r.appended_at, link) for r, link in zip(records, links, strict=True)
            ]
            self._taken.put_nowait(taken)

    async def _keep_applying(self) -> None:
        while True:
            batch = await self._taken.get()
            while not self._taken.empty():
                batch = batch + self._taken.get_nowait()
            self.is_applying = True
            step = await self.worker.apply(batch)
            self.is_applying = False
            await self._steps.put(step)

    async def _keep_publishing(self) -> None:
        while True:
            await self.worker.publish(await self._steps.get())
