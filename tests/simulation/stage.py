"""A history step by step: replicas, a worker's statements, its keeper and serving's own code; nothing is drawn."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from random import Random
from types import SimpleNamespace
from typing import Any, Final

from msgspec.structs import replace

from common.algebra.cut import Cut
from common.algebra.losses import Range
from common.algebra.pointer import Loss, Plan, Pointer, Published, encode
from common.algebra.versions import logic_version
from common.log.events import Event, parse, validation_version
from common.log.partition import partition_of
from common.log.position import Position
from common.progress import Progress
from common.servers.breaker import Breaker
from common.servers.cassandra import AsyncSession
from common.servers.retry import Retry
from common.tables import FIRST_GENERATION, Tables
from serving_layer.answer.answers import Answer, Answers
from serving_layer.answer.provenance import Release, condition
from serving_layer.read import cassandra_store as serving
from serving_layer.read.pins import PinKeeper
from serving_layer.read.store import DeltaRow, Pin
from speed_layer.apply.decide import Applied, mutations
from speed_layer.apply.known import Known
from speed_layer.apply.lanes import Lanes
from speed_layer.apply.rows import Placed
from speed_layer.progress.keeper import Keeper
from speed_layer.progress.table import ProgressTable
from speed_layer.store.cassandra_store import CassandraFactStore
from speed_layer.store.statements import Statements
from tests.simulation.cql import Change, Delete, Put, Select
from tests.simulation.judge import Asked, Judge, Told
from tests.simulation.losses import Gone, Losses, Master
from tests.simulation.network import Read, Response, Session, said
from tests.simulation.pointer import decoded
from tests.simulation.process import ALERTS, RULES, SETTINGS, TTL_SECONDS, at_once
from tests.simulation.replicas import Replica
from tests.simulation.scenery import PARTITIONS, SimLog
from tests.simulation.tampering import Tampering
from tests.simulation.truth import recomputed
from tests.support.builders import APPENDED_AT, AS_OF, Message

ADA: Final = "ada"
"""The only customer."""
PARTITION: Final = partition_of(ADA, PARTITIONS)
EVERYWHERE: Final = (0, 1, 2)
READS_OF_A_KEPT_PIN: Final = 3
"""The pointer, to guess the generation by, and then progress and the pointer."""
DELTAS: Final = -1
"""The number of a read of deltas."""
TABLES: Final = Tables(FIRST_GENERATION)


async def at_rest() -> None:
    """Nothing happens."""


class Stage:
    """The log, three replicas and the judge of one history. Its statements are answered at once, unless held back."""

    def __init__(self) -> None:
        self.loop = SimpleNamespace(now=APPENDED_AT)
        self.log = SimLog()
        self.replicas = [Replica(name) for name in EVERYWHERE]
        self.events: dict[Position, Event] = {}
        self.pointer: str | None = None
        self.losses, self.master = Losses(self.as_world, Random()), Master(self.as_world)
        self.tampering, self.floors, self.resets = Tampering(self.as_world), dict[int, Cut](), dict[str, int]()
        self.pairs: dict[str, list[tuple[int, int]]] = {}
        """By table, the replicas that the next reads ask; any other read asks 0 and 1."""
        self.held: list[Callable[[], None]] | None = None
        """Answers of reads that are under way, while reads are held back."""
        self.network, self.judge = Wire(self), Judge(self.as_world)
        self._statements, self._known = Statements(self.session(), TABLES, TTL_SECONDS), Known()

    @property
    def now(self) -> int:
        return int(self.loop.now)

    def pass_time(self, seconds: float) -> None:
        self.loop.now += round(seconds * 1e6)

    @property
    def as_world(self) -> Any:
        """The stage has what its parts need of the simulation's world."""
        return self

    def session(self, *, named: bool = True) -> Any:
        return Session(self.as_world, None, named=named)

    def append(self, message: Message) -> None:
        """The log gets the record."""
        record = self.log.append_at(message, self.now)
        self.judge.oracle.extend([record])
        event = parse(record.key, record.value, record.partition, PARTITIONS, record.appended_at, RULES)
        self.events[Position(record.partition, record.offset)] = event

    def write(self, *offsets: int, to: Sequence[int] = EVERYWHERE) -> None:
        """The mutations of these records reach the replicas `to`, and no other."""
        for mutation in mutations(map(self._placed, offsets), self._known, ALERTS, Applied()):
            statements, _ = self._statements.of(ADA, mutation)
            changes = [one for one in map(said, statements) if isinstance(one, Put | Delete)]
            for name in to:
                self.replicas[name].write(changes, self.now)

    async def republish(self, *offsets: int, asks: tuple[int, int]) -> None:
        """A worker reads the rows of records that it met again."""
        self.pairs = {"speed_deltas": [asks]}
        await CassandraFactStore(AsyncSession(self.session(), 4), retry(), TABLES, TTL_SECONDS).rows(ADA, offsets)

    async def progress(self, next_offset: int) -> None:
        """Some worker wrote that everything below `next_offset` is applied."""
        end, version = self.log.next_offsets[PARTITION], validation_version(RULES)
        await self.progress_table().write(Progress(PARTITION, 0, next_offset, end, version, self.now, self.now))

    def progress_table(self) -> ProgressTable:
        return ProgressTable(AsyncSession(self.session(), 4), FIRST_GENERATION)

    def keeper(self, validation: str) -> Keeper:
        """A worker's keeper, of a release with this validation version."""
        watch: Any = Watch(self)
        clocks = (lambda: self.now), (lambda: self.now / 1e6)
        return Keeper(SETTINGS.speed, self.progress_table(), watch, Lanes(), retry(), retry(), validation, *clocks)

    def batch(self, cut: int, batch_id: int = 1) -> None:
        """A batch of the records below `cut` is current, in slot a."""
        at = Cut.of({PARTITION: cut})
        state = recomputed(self.as_world, at)[ADA].to_json()
        row = Put("batch_view_a", ADA, (), (("batch_id", batch_id), ("state", state)), batch_id, None)
        for replica in self.replicas:
            replica.write([row], self.now)
        plan = Plan(1, at, logic_version(), validation_version(RULES))
        self.pointer = encode(Pointer(batch_id, batch_id, (Published(batch_id, "a", plan, self.now, 1, "checksum"),)))

    def no_batch(self) -> None:
        """The pointer is as a reader may have pinned it before the batch."""
        self.pointer = None

    async def answer(self, *deltas: tuple[int, int]) -> Answer:
        """The answer about the customer, whose reads of deltas ask these pairs of replicas. Raises Wrong."""
        self.pairs = {"speed_deltas": list(deltas)}
        store, since = serving.CassandraViewStore(self.session(named=False), SETTINGS, at_once), self.judge.now()
        (answer,) = await Answers(lambda: store, SETTINGS, lambda: self.now).of([ADA], AS_OF)
        self.judge.check([answer], since, decoded(self.pointer))
        return answer

    def lose(self, start: int, end: int) -> None:
        """The records of that range are lost, and accepted as lost."""
        records = [record for record in self.log.from_offset(PARTITION, start) if record.offset < end]
        self.losses.firsts[PARTITION] = end
        self.losses.gone.append(Gone(Range(PARTITION, start, end), records, frozenset()))
        loss = Loss(partition=PARTITION, from_offset=start, to_offset=end, accepted_at=self.now)
        self.pointer = encode(replace(decoded(self.pointer), losses=(loss,)))

    async def answer_by_a_kept_pin(
        self,
        *,
        between: Callable[[], Awaitable[None]] = at_rest,
        later: Callable[[], Awaitable[None]] = at_rest,
        meanwhile: Callable[[], Awaitable[None]] = at_rest,
    ) -> Answer:
        """The answer by a pin: something happens between its two reads, before the request, and after its deltas.

        Raises Wrong.
        """
        store, since = Hooked(self.session(named=False)), self.judge.now()
        store.happens[READS_OF_A_KEPT_PIN - 1] = between
        pins = PinKeeper(lambda: store, SETTINGS.serving, lambda: self.now / 1e6)
        kept = await pins.renew()
        await later()
        reads, asked = store.reads, Asked(self.now, self.judge.now())
        store.happens[DELTAS] = meanwhile
        answers = Told(lambda: store, SETTINGS, lambda: self.now, pins)
        (answer,) = await answers.of([ADA], AS_OF)
        is_quick = answers.pin is kept.pin
        pinned = kept.pin.pointer if is_quick else decoded(self.pointer)
        self.judge.check([answer], since if is_quick else asked.since, pinned, asked if is_quick else None)
        assert store.reads > reads
        return answer

    async def reasons(self, validation: str) -> Sequence[str]:
        """Why a reader of a release with this validation version calls its answers degraded."""
        store = serving.CassandraViewStore(self.session(named=False), SETTINGS, at_once)
        row, release = (
            (await store.progress(FIRST_GENERATION, [PARTITION]))[PARTITION],
            Release(logic_version(), validation),
        )
        return condition(PARTITION, None, row, release=release, limits=SETTINGS.serving, now=self.now).reasons

    def _placed(self, offset: int) -> Placed:
        return Placed(offset, self.now, self.events[Position(PARTITION, offset)])

    # What the simulation's parts ask of a world.

    def touched_table(self, table: str, key: Any) -> None:
        """Nobody looks but when told to."""

    def expired_below(self, now: int) -> dict[int, int]:
        return dict.fromkeys(range(PARTITIONS), 0)

    def fixed(self, select: Select) -> list[Any] | None:
        if select.table.name == "batch_pointer":
            return [] if self.pointer is None else [(self.pointer,)]
        return [(PARTITIONS,)] if select.table.name == "log_identity" else None


class Hooked(serving.CassandraViewStore):
    """A store after some of whose reads something happens: of pointer or progress, by number, or of deltas."""

    def __init__(self, session: Any) -> None:
        super().__init__(session, SETTINGS, at_once)
        self.happens: dict[int, Callable[[], Awaitable[None]]] = {}
        self.reads = 0

    async def pin(self) -> Pin:
        found = await super().pin()
        await self._read()
        return found

    async def progress(self, generation: int, partitions: Collection[int]) -> Mapping[int, Progress]:
        found = await super().progress(generation, partitions)
        await self._read()
        return found

    async def deltas(self, generation: int, customers: Collection[str], cut: int) -> Mapping[str, Sequence[DeltaRow]]:
        found = await super().deltas(generation, customers, cut)
        await self.happens.pop(DELTAS, at_rest)()
        self.reads += 1
        return found

    async def _read(self) -> None:
        self.reads += 1
        await self.happens.pop(self.reads, at_rest)()


class Wire:
    """Statements reach their replicas at once."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def write(self, owner: None, changes: Sequence[Change], response: Response) -> None:
        for replica in self._stage.replicas:
            replica.write(changes, self._stage.now)
        for change in changes:
            if change.table == "speed_progress" and isinstance(change, Put):
                self._stage.judge.reached(change)
                self._stage.judge.progressed(change)
        response.rows = []

    def read(
        self, owner: None, select: Select, answer: Callable[[list[Any]], None], time_out: Callable[[], None]
    ) -> None:
        stage = self._stage
        pairs = stage.pairs.get(select.table.name)
        pair = list(pairs.pop(0) if pairs else (0, 1))
        found: list[Any] = []
        keys = dict.fromkeys(select.partitions)
        Read(stage.as_world, None, select, found.extend, missing=2 * len(keys)).at_once([(key, pair) for key in keys])
        if stage.held is None:
            asyncio.get_running_loop().call_soon(answer, found)
        else:
            stage.held.append(lambda: answer(found))


class Watch:
    """A log that answers, and keeps everything."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def check(self) -> None: ...

    async def confirm(self) -> None: ...

    async def ends(self) -> Mapping[int, int]:
        return dict(self._stage.log.next_offsets)

    async def lasts(self) -> Mapping[int, int]:
        return await self.ends()

    async def firsts(self) -> Mapping[int, int]:
        return dict(self._stage.losses.firsts)

    async def expired_below(self, now: int) -> Mapping[int, int]:
        return self._stage.expired_below(now)


def retry() -> Retry:
    """A retry without pauses."""
    return Retry(Breaker("server", 10, 0.0), 0, 0)
