"""A speed worker's process: production's own core, assembled by the function that production calls, without Faust."""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from msgspec.structs import replace

from common.algebra.dates import MICROS_PER_DAY
from common.algebra.pointer import Pointer
from common.errors import LogUnavailable
from common.log.normalizing import Rules
from common.servers.log_identity import LogIdentity
from common.settings import LogSettings, ServingSettings, Settings, SpeedSettings
from infra.proof.oracle import RawRecord
from speed_layer.apply.alerts import AlertSettings
from speed_layer.apply.delivered import Bundle, Delivered, Linked
from speed_layer.apply.lanes import Lane
from speed_layer.apply.worker import Step
from speed_layer.core import Outside, assemble
from speed_layer.progress.table import HORIZON_MARGIN_MICROS
from speed_layer.publish.publisher import Outgoing
from tests.simulation.loop import OWNER
from tests.simulation.network import Op, Session
from tests.simulation.pointer import decoded

if TYPE_CHECKING:
    from tests.simulation.world import World

TTL_SECONDS: Final = 600
MARGIN_SECONDS: Final = 300
"""How early deltas count as expired: more than lies between a look at the log and an answer that is built on it."""
TTL_MARGIN_MICROS: Final = (TTL_SECONDS - MARGIN_SECONDS) * 1_000_000
SETTINGS: Final = Settings(
    log=LogSettings(partitions=2),
    speed=SpeedSettings(
        progress_interval_seconds=10.0,
        in_flight=16,
        retry_max_seconds=1.0,
        breaker_threshold=3,
        breaker_recovery_seconds=5.0,
    ),
    serving=ServingSettings(max_behind_records=12, max_behind_seconds=60.0, pin_max_age_seconds=30.0),
)
RULES: Final = Rules(SETTINGS.log.currency)
ALERTS: Final = AlertSettings(SETTINGS.speed.large_refund_cents)
RECORDED: Final = LogIdentity(SETTINGS.log.topic, "the log", SETTINGS.log.partitions)
BACKLOG: Final = 12
"""Records fetched and not yet taken by the worker, above which nothing more is fetched."""
T = TypeVar("T")


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
    """Kafka's side of publishing: messages land when the simulation says so, twice where an acknowledgement is lost."""

    def __init__(self, process: Process) -> None:
        self._process, self._world = process, process.world

    async def __call__(self, messages: Sequence[Outgoing]) -> None:
        random, rate = self._world.random, self._world.profile.publish_failures
        fails = random.random() < rate
        arrived = random.randint(0, len(messages)) if fails else len(messages)
        await self._process.later(f"publish {len(messages)}")
        self._world.copied += messages[:arrived]
        await self._process.later("publish acknowledged" if not fails else "publish fails")
        if fails:
            self._world.count("publish lost" if arrived < len(messages) else "publish acknowledged late")
            raise LogUnavailable("not acknowledged")


async def at_once(function: Callable[[], T]) -> T:
    """There is one thread."""
    return function()


class Watch:
    """What a worker asks Kafka about its log."""

    def __init__(self, process: Process) -> None:
        self._process, self._world = process, process.world

    async def check(self) -> None:
        return

    async def confirm(self) -> None:
        return

    async def ends(self) -> Mapping[int, int]:
        return await self._ask(lambda: dict(self._world.log.next_offsets))

    async def lasts(self) -> Mapping[int, int]:
        return await self.ends()

    async def firsts(self) -> Mapping[int, int]:
        return await self._ask(lambda: dict(self._world.losses.firsts))

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
    """A member of the group: production's own core, with a fetch of the simulation's in the place of Faust."""

    def __init__(self, world: "World", name: str) -> None:
        super().__init__(world, name)
        speed = SETTINGS.speed.model_copy(
            update={
                "cache_customers": world.random.choice((1, 2, 50)),
                "batch_records": world.random.choice((2, 1000, 1000)),
            }
        )
        session: Any = Session(world, self)
        outside = Outside(
            session=session,
            send=Topics(self),
            watch=Watch(self),
            clock=lambda: world.loop.now,
            monotonic=world.loop.time,
            jitter=world.random.random,
            off_loop=at_once,
        )
        settings = SETTINGS.model_copy(update={"speed": speed})
        pointer = decoded(world.pointer)
        self.generation = pointer.generation
        self.core = assemble(settings, RECORDED, outside, _dated(pointer), delta_ttl_seconds=TTL_SECONDS)
        self.partitions: set[int] = set()
        self.is_member = True
        self.applying = 0
        """Micro-batches that are being applied: the worker's counts do not add up meanwhile."""
        self._fetched_to: dict[Lane, int] = {}
        self._note_applying()
        pipeline, keeper = self.core.pipeline, self.core.keeper
        for work in (pipeline.keep_applying(), pipeline.keep_publishing(), keeper.keep_beating()):
            self.spawn(work)

    def _note_applying(self) -> None:
        apply = self.core.worker.apply

        async def noted(delivered: Sequence[Delivered]) -> Step:
            self.applying += 1
            step = await apply(delivered)
            self.applying -= 1
            return step

        self.core.worker.apply = noted  # type: ignore[method-assign] # it is watched, and not changed

    def revoke(self) -> None:
        """As the seam does: nothing of the old assignment counts from here on."""
        self.core.lanes.close()
        self.core.forget()
        self.partitions = set()

    def assign(self, partitions: set[int]) -> None:
        """As the seam does: lanes open once it is known where the partitions resume."""
        self.core.lanes.close()
        self.partitions = partitions
        if partitions:
            self.spawn(self._seek(partitions))

    async def _seek(self, partitions: set[int]) -> None:
        starts = await self.core.keeper.starts(sorted(partitions))
        self.core.forget()
        if self.partitions is partitions:
            for partition, start in starts.items():
                self._fetched_to[self.core.lanes.open(partition, start)] = start.offset

    def fetches(self) -> list[Lane]:
        """The lanes with something to fetch, while there is room for it."""
        ends, reached = self.world.log.next_offsets, self._fetched_to
        found = [lane for lane in self.core.lanes.all() if reached[lane] < ends[lane.partition]]
        if not found or self.core.paused or self.core.lanes.backlog > BACKLOG:
            return []
        return found

    def fetch(self, lane: Lane, count: int) -> None:
        """Hand over the lane's next records, `count` of them at most."""
        log, losses = self.world.log, self.world.losses
        if self._fetched_to[lane] < losses.firsts[lane.partition]:
            self.world.count("worker ended: Kafka does not hold what comes next")
            self.world.group.end(self)
            return
        waiting = log.from_offset(lane.partition, self._fetched_to[lane])
        records = waiting[:count]
        links = lane.send((record.offset, 1) for record in records)
        at_end = len(records) == len(waiting)
        self._fetched_to[lane] = log.next_offsets[lane.partition] if at_end else records[-1].offset + 1
        losses.fetched(self.generation, lane.partition, self._fetched_to[lane])
        if at_end:
            lane.cleared(self._fetched_to[lane])
        if records:
            linked = tuple(Linked(_fetched(r), link) for r, link in zip(records, links, strict=True))
            # Where more is to be fetched, the worker waits a moment for it, as for what another partition has.
            self.spawn(self.core.pipeline.take(Bundle(linked, is_last=at_end)))


def _dated(pointer: Pointer) -> Pointer:
    """The pointer for a core that reckons with the setting's days, where deltas live for TTL_SECONDS."""
    shorter = SETTINGS.speed.delta_ttl_days * MICROS_PER_DAY - HORIZON_MARGIN_MICROS - TTL_MARGIN_MICROS
    return (
        replace(pointer, generation_since=pointer.generation_since - shorter) if pointer.generation_since else pointer
    )


def _fetched(record: RawRecord) -> SimpleNamespace:
    """The record as Kafka's client gives it, its time in milliseconds."""
    return SimpleNamespace(
        offset=record.offset, key=record.key, value=record.value, timestamp=record.appended_at // 1000, headers=()
    )
