"""The operator after a loss, step by step as the runbook says: accept, rebuild, have it sent again, declare (R15)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from batch_layer.rebuild.losses import check_ranges
from batch_layer.view import publish
from batch_layer.view.fold import EntityKey
from common.algebra.cut import Cut
from common.algebra.facts import Fact
from common.algebra.losses import Range, accept, declare_sent, ranges_of
from common.errors import BatchError, LogError, StoreUnavailable, UsageError
from common.log.position import Position
from common.servers.cassandra import in_one_page
from common.tables import Tables
from infra.operate.losses import held
from infra.operate.losses.held import Found, Row
from infra.operate.losses.records import record_of
from tests.simulation.pointer import PointerSession, decoded
from tests.simulation.process import RULES, Process
from tests.simulation.rebuild import RebuildRun
from tests.simulation.scenery import PARTITIONS
from tests.simulation.truth import current_facts
from tests.simulation.wrong import Wrong
from tests.support.builders import Message, erasure

if TYPE_CHECKING:
    from tests.simulation.world import World


def go_on(world: "World") -> bool:
    """The operator does what is next, unless somebody is at it; whether nothing is left to be done."""
    if not world.losses.gone:
        return True
    if any(isinstance(each, Acceptance | Sources) and each.runs for each in world.others):
        return False
    if world.losses.needs_a_rebuild():
        world.others.append(Acceptance(world, "accept"))
    elif any(not loss.sent_again for loss in decoded(world.pointer).losses):
        world.others.append(Sources(world, "sources"))
    else:
        return True
    return False


class Acceptance(RebuildRun):
    """`speed rebuild --accept-loss`: production's `rebuilding.run`, by its own checks, reading and records."""

    async def _work(self) -> None:
        erased = await self._accepted()
        await super()._work()
        for customer in erased:
            await self.later("erases again")
            self.world.count("log: erased again after a loss")
            self.world.append(erasure(customer))

    async def _accepted(self) -> Sequence[str]:
        """The loss is accepted, and what is held of it was sent again. Returns whose erasure is known to be lost."""
        world = self.world
        await self.later("asks the doctor")
        lost = world.losses.gaps(ranges_of(publish.read(self._pointer)))
        if not lost:
            return ()
        await self.later("accepts")
        try:
            known = ranges_of(publish.read(self._pointer))
            check_ranges(lost, known, world.losses.firsts, world.master.archived)
        except (UsageError, LogError) as error:
            world.count("loss not accepted")
            raise BatchError("the log lost more meanwhile") from error
        generation = publish.read(self._pointer).generation
        applied = world.judge.applied(generation)
        found = held.held_in(await self._rows(generation), lost, PARTITIONS)
        await self._send(found)
        publish.transition(self._pointer, lambda pointer: accept(pointer, lost, world.now))
        world.count("loss accepted")
        self._check_sent(lost, generation, applied)
        return found.erased

    async def _rows(self, generation: int) -> list[Row]:
        rows: list[Row] = []
        for customer in self.world.judge.oracle.mentioned:
            select = f"SELECT kind, entity_id, value FROM {Tables(generation).facts} WHERE customer_id = ?"
            rows += [(customer, *row) for row in await self._of(select, customer)]
        return rows

    async def _of(self, select: str, customer: str) -> list[Any]:
        statement = in_one_page(self._session.driver.prepare(select))
        while True:
            try:
                return await self._session.execute(statement.bind((customer,)))
            except StoreUnavailable as error:
                if self.world.is_gone(select):
                    raise BatchError("the speed tables were rebuilt meanwhile") from error
                await self.later("asks again")

    async def _send(self, found: Found) -> None:
        for fact in found.facts:
            value = record_of(fact, PARTITIONS, RULES, self.world.now)
            await self.later("sends again")
            self.world.count("log: sent again by the speed layer")
            self.world.append(Message(fact.customer_id.encode(), value))

    def _check_sent(self, lost: Sequence[Range], generation: int, applied: Mapping[int, int]) -> None:
        """R15: each current fact of the ranges is in the log again, or what came since has overtaken it. Raises Wrong.

        `applied` is what was acknowledged before the facts were read.
        """
        world = self.world
        if not any(generation in gone.seen_by for gone in world.losses.gone):
            return
        for each in lost:
            below = min(applied.get(each.partition, 0), each.end)
            facts = current_facts(world, Cut.of({each.partition: below}), absent=frozenset())
            for customer in sorted(facts.keys() - world.tampering.customers):
                for entity, fact in facts[customer].items():
                    is_lost = Position(each.partition, fact.offset) in world.losses.lost
                    if is_lost and fact.offset >= each.start and not self._is_overtaken(customer, entity, fact, below):
                        raise Wrong(f"{entity} of {customer} at {each.partition}:{fact.offset} was not sent again")

    def _is_overtaken(self, customer: str, entity: EntityKey, fact: Fact, below: int) -> bool:
        """Whether, from an offset on, the customer has an erasure, or the entity a fact of no lesser rank."""
        later = (
            event for at, event in self.world.events.items() if event.customer_id == customer and at.offset >= below
        )
        return any(
            event.image is None or ((event.kind, event.entity_id) == entity and event.image.rank >= fact.after.rank)
            for event in later
        )


class Sources(Process):
    """The sources send again what they recorded, but for some erasures, and the operator declares the range as sent."""

    def __init__(self, world: "World", name: str) -> None:
        super().__init__(world, name)
        self._pointer: Any = PointerSession(world)
        self.spawn(self._run())

    async def _run(self) -> None:
        world = self.world
        for lost in [Range.of(loss) for loss in decoded(world.pointer).losses if not loss.sent_again]:
            for gone in world.losses.gone:
                for record in gone.records:
                    if gone.range.partition == lost.partition and lost.start <= record.offset < lost.end:
                        await self._send(Position(record.partition, record.offset), Message(record.key, record.value))
            await self.later("declares the range as sent again")
            publish.transition(self._pointer, lambda pointer, sent=lost: declare_sent(pointer, sent))  # type: ignore[misc] # mypy wants the default's type
            world.count("loss declared as sent again")
        self.dead = True

    async def _send(self, at: Position, message: Message) -> None:
        world, event = self.world, self.world.events.get(at)
        if event is None or (event.is_erasure and world.random.random() < 0.5):
            return
        await self.later("sends again")
        world.count("log: sent again by the sources")
        world.append(message)
