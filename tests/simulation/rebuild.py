"""An operator's rebuild of the speed tables, by production's own plan, fold and statements (R13)."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from cassandra.query import UNSET_VALUE, BatchStatement, BatchType

from batch_layer.rebuild import plan
from batch_layer.rebuild.plan import Sight
from batch_layer.rebuild.writer import Bound, Writer
from batch_layer.view import publish
from batch_layer.view.fold import Folded
from common.algebra import generation
from common.algebra.cut import Cut
from common.algebra.facts import decode_fact
from common.algebra.generation import Generation
from common.algebra.losses import Range, ranges_of
from common.algebra.pointer import Pointer
from common.errors import BatchError, ClaimLost, LogError, RejectedRecord, StoreUnavailable
from common.log.dead_letters import letter_cells
from common.log.events import parse, validation_version
from common.log.position import Position
from common.progress import Progress, cells_of, insert_progress, select_progress
from common.servers.cassandra import AsyncSession, in_one_page
from common.speed_cql import MARKER, insert_letter
from common.tables import Tables
from tests.simulation.network import Session
from tests.simulation.pointer import PointerSession
from tests.simulation.process import RULES, TTL_SECONDS, Process
from tests.simulation.scenery import PARTITIONS
from tests.simulation.wrong import Wrong

if TYPE_CHECKING:
    from tests.simulation.world import World

NEAR: Final = 4
"""A rebuild that is at most so many records behind switches; production's own limits are above a seed's records."""


class RebuildRun(Process):
    """One run: archive, claim a generation, build round after round, switch, retire what is older."""

    def __init__(self, world: "World", name: str) -> None:
        super().__init__(world, name)
        self._session = AsyncSession(Session(world, self), 4)
        self._pointer: Any = PointerSession(world)
        self.number: int | None = None
        self._built = Cut.zero()
        self._skip_to = Cut.zero()
        self._seen_applied: dict[int, int] = {}
        """What was applied by the generation that is served, before this run looked for the last time."""
        self.spawn(self._run())

    async def _run(self) -> None:
        try:
            await self._work()
        except ClaimLost:
            self.world.count("rebuild overtaken by another")
        except LogError:
            self.world.count("rebuild refused: records are gone")
        except BatchError:
            self.world.count("rebuild given up")
        self.dead = True

    async def _work(self) -> None:
        world = self.world
        current = publish.read(self._pointer).published
        if current is not None and world.skips.random() < world.profile.skips:
            world.count("workers skip to a batch's cut")
            self._skip_to = current.plan.cut
        archived, archived_at = await self._archive()
        before = publish.transition(self._pointer, generation.begin)
        self.number = before.rebuilding
        if self.number is None:
            raise AssertionError(before)
        built = Generation(self.number, written_since=world.now)
        floor = plan.deltas_from(before, range(PARTITIONS))
        world.begin_generation(self.number, before)
        await self.later("makes tables")
        sight = await self._round_after_round(archived, archived_at, floor)
        silent = plan.unpublished(sight, ranges_of(before))
        await self._keep_letters(silent)
        version = validation_version(RULES)
        for row in plan.progress_rows(sight, self._built, floor, version=version, now=world.now):
            await self._patiently(insert_progress(), cells_of(self.number, row))
        await self.later("switches")
        publish.transition(self._pointer, lambda pointer: generation.move(pointer, built))
        world.losses.unpublished += silent
        world.count("generation switched")
        await self._retire(before)

    async def _archive(self) -> tuple[Cut, int]:
        """The master holds what the log holds when this returns, which began at the second value."""
        began = self.world.now
        await self.later("archives")
        return self.world.master.archive(self._pointer), began

    async def _round_after_round(self, archived: Cut, archived_at: int, floor: Cut) -> Sight:
        """Production's own rounds, `_Rounds.until_near`, by its own decisions."""
        sight, missing_before = await self._sight(archived, archived_at), None
        for rounds in count(1):
            until = plan.resumes(sight)
            await self._build(until, floor)
            self._built = until
            at_last = sight
            archived, archived_at = await self._archive()
            sight = await self._sight(archived, archived_at)
            generation.check_claimed(publish.read(self._pointer), self._claimed)
            missing = plan.behind(sight, self._built)
            is_near = missing <= NEAR and (plan.is_near(missing, missing_before) or rounds == 3)
            if is_near and self._built.covers(Cut.of(sight.firsts)):
                return at_last
            if rounds == 5:
                raise BatchError("the log grows faster than it is rebuilt")
            missing_before = missing
        raise AssertionError

    @property
    def _claimed(self) -> int:
        if self.number is None:
            raise AssertionError
        return self.number

    async def _sight(self, archived: Cut, archived_at: int) -> Sight:
        served = publish.read(self._pointer).generation
        self._seen_applied = self.world.judge.applied(served)
        found = map(Progress.of_row, await self._patiently(select_progress(), (served,)))
        firsts = dict(self.world.losses.firsts)
        return Sight(
            archived=archived,
            archived_at=archived_at,
            firsts=firsts,
            served={row.partition: row for row in found},
            skip_to=self._skip_to,
        )

    async def _keep_letters(self, ranges: Sequence[Range]) -> None:
        """The statements of production's `letters.keep_letters`."""
        for each in ranges:
            for record in self.world.log.records:
                at = Position(record.partition, record.offset)
                if each.partition != at.partition or not each.start <= at.offset < each.end:
                    continue
                if at in self.world.events or at in self.world.losses.lost:
                    continue
                try:
                    parse(record.key, record.value, record.partition, PARTITIONS, record.appended_at, RULES)
                except RejectedRecord as error:
                    self.world.count("letter kept by a rebuild")
                    cells = letter_cells(at, record.appended_at, record.key, record.value, error)
                    values = at.offset, *(UNSET_VALUE if cell is None else cell for cell in cells)
                    await self._patiently(insert_letter(), values)

    async def _build(self, until: Cut, floor: Cut) -> None:
        since = self._built
        customers = dict.fromkeys(
            event.customer_id
            for at, event in self.world.events.items()
            if since[at.partition] <= at.offset < until[at.partition] and at not in self.world.losses.lost
        )
        self.world.count("round of a rebuild")
        await asyncio.gather(*(self._build_customer(name, since, until, floor) for name in customers))

    async def _build_customer(self, customer: str, since: Cut, until: Cut, floor: Cut) -> None:
        tries = 2 if self.world.random.random() < 0.1 else 1  # a task may be run again from its beginning
        for _ in range(tries):
            rows = await self._stored(customer) if since.offsets else Folded()
            for record in self.world.log.records:
                at = Position(record.partition, record.offset)
                event = self.world.events.get(at)
                if event is None or event.customer_id != customer or at in self.world.losses.lost:
                    continue
                if since[record.partition] <= record.offset < until[record.partition]:
                    rows.deltas_from = floor[record.partition]
                    rows.apply(record.offset, record.appended_at, event)
            for mutation in self._mutations(customer, rows):
                await self._write(mutation)

    async def _stored(self, customer: str) -> Folded:
        select = f"SELECT kind, entity_id, value FROM {Tables(self._claimed).facts} WHERE customer_id = ?"
        found = Folded()
        for kind, entity_id, value in await self._patiently(select, (customer,)):
            if (kind, entity_id) == MARKER:
                found.reset_offset = int(value)
            else:
                found.facts[kind, entity_id] = decode_fact(value)
        return found

    def _mutations(self, customer: str, rows: Folded) -> Iterator[Sequence[Bound]]:
        """As production's writer: all at once or, as if it were too much for one statement, row by row, facts last."""
        session: Any = self._session.driver
        writer = Writer(session, Tables(self._claimed), ttl_seconds=TTL_SECONDS, in_flight=4)
        first = [*writer._erasing(customer, rows), *writer._of_deltas(customer, rows)]
        facts = list(writer._of_facts(customer, rows))
        if not first and not facts:
            return
        if self.world.random.random() < 0.8:
            yield [*first, *facts]
        else:
            yield from ([row] for row in (*first, *facts))

    async def _write(self, mutation: Sequence[Bound]) -> None:
        while True:
            batch = BatchStatement(BatchType.UNLOGGED)
            for row in mutation:
                statement: Any = row.statement
                batch.add(statement.bind(row.values))
            try:
                await self._session.execute(batch)
            except StoreUnavailable:
                await self._again()
            else:
                return

    async def _patiently(self, text: str, values: Sequence[Any]) -> list[Any]:
        statement = in_one_page(self._session.driver.prepare(text))
        while True:
            try:
                return await self._session.execute(statement.bind(values))
            except StoreUnavailable:
                await self._again()

    async def _again(self) -> None:
        """Raises ClaimLost where another rebuild has dropped these tables."""
        if self.number in self.world.retired:
            generation.check_claimed(publish.read(self._pointer), self._claimed)
        await self.later("asks again")

    async def _retire(self, before: Pointer) -> None:
        """Older tables go; no request lives so long that it has one of them pinned."""
        world = self.world
        gone = plan.retired(set(world.floors) | {1}, self._claimed, before.generation)
        while world.is_pinned(gone):
            await self.later("drops tables")
        for number in gone:
            world.retire(number)

    def check_switch(self, served: int) -> None:
        """R13: what the new generation says that it has is little less than what the old one had. Raises Wrong."""
        rows = self.world.judge.applied(self._claimed)
        missing = {
            p: reached - rows.get(p, -1) for p, reached in self._seen_applied.items() if reached > rows.get(p, -1)
        }
        if len(rows) < PARTITIONS or sum(missing.values()) > NEAR:
            raise Wrong(f"generation {self._claimed} is served in place of {served}, and is behind: {missing}, {rows}")
