"""The batch layer over the log, its runs and its operator; and readers who take their time."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from cassandra import OperationTimedOut

from batch_layer.view import publish
from common.algebra import pointer
from common.algebra.cut import Cut
from common.algebra.facts import Fact, Image, decide
from common.algebra.measures import contribution
from common.algebra.pointer import Claim, Plan, Published
from common.algebra.profile import KIND as PROFILE
from common.algebra.state import State
from common.algebra.versions import logic_version
from common.algebra.view_row import ViewRow
from common.errors import BatchError, ClaimLost, StoreUnavailable
from common.log.events import validation_version
from common.log.position import Position
from common.servers.cassandra import AsyncSession, in_one_page
from serving_layer.answer.answers import Answers
from serving_layer.read.cassandra_store import CassandraViewStore
from tests.simulation.audit import audit
from tests.simulation.network import Session
from tests.simulation.process import RULES, SETTINGS, Process, at_once
from tests.support.builders import AS_OF

if TYPE_CHECKING:
    from tests.simulation.world import World


class PointerRow(NamedTuple):
    value: str


class Found(NamedTuple):
    rows: Sequence[Any]

    def one(self) -> Any:
        return self.rows[0] if self.rows else None


class PointerSession:
    """The one row that is compared and set; an answer may be lost, and others may come in between."""

    def __init__(self, world: "World", *, calm: bool = False) -> None:
        self._world, self._calm = world, calm

    def execute(self, statement: Any, parameters: Sequence[Any]) -> Found:
        text, world = getattr(statement, "query_string", statement), self._world
        if text.startswith("SELECT value FROM batch_pointer"):
            return Found([] if world.pointer is None else [PointerRow(world.pointer)])
        if text.startswith("INSERT INTO batch_pointer"):
            expected, wanted = None, parameters[1]
        elif text.startswith("UPDATE batch_pointer"):
            wanted, _, expected = parameters
        else:
            raise NotImplementedError(text)
        return self._set(expected, wanted)

    def _set(self, expected: str | None, wanted: str) -> Found:
        world = self._world
        fate = 1.0 if self._calm else world.random.random()
        if fate < 0.05:
            world.count("pointer timed out before effect")
            raise OperationTimedOut
        if fate > 0.9 and not self._calm:
            roll_back(world)
        applied = world.pointer == expected
        if applied:
            world.pointer = wanted
            world.touch_all()
        if fate < 0.1:
            world.count("pointer timed out after effect")
            raise OperationTimedOut
        return Found([(applied,)])


def roll_back(world: "World") -> None:
    """An operator points at another complete batch, if there is one."""
    complete = pointer.decode(world.pointer).complete
    if not complete:
        return
    batch_id = world.random.choice(complete).batch_id
    publish.transition(PointerSession(world, calm=True), lambda before: pointer.switch(before, batch_id))
    world.count("rollback")


class BatchRun(Process):
    """One run: archive, claim, recompute, load, verify, audit, publish."""

    def __init__(self, world: "World", name: str) -> None:
        super().__init__(world, name)
        self._session = AsyncSession(Session(world, self), 4)
        self.pointer: Any = PointerSession(world)
        self.spawn(self._run())

    async def _run(self) -> None:
        try:
            await self._work()
        except ClaimLost:
            self.world.count("claim lost")
        except BatchError:
            self.world.count("batch given up")
        self.dead = True

    async def _work(self) -> None:
        world = self.world
        await self.later("archives")
        cut = Cut.of(world.log.next_offsets)
        plan = Plan(len(world.log.records), cut, logic_version(), validation_version(RULES))
        await self.later("claims")
        claim = publish.claim(self.pointer, plan)
        states = {customer: row.to_json() for customer, row in recomputed(world, cut).items()}
        for customer, state in states.items():
            await self._load(claim, customer, state)
        await self._verify(claim, states)
        await audit(self, claim, states, images(world, cut))
        await self.later("publishes")
        done = Published(claim.batch_id, claim.slot, plan, world.loop.now, len(states), "checksum")
        publish.publish(self.pointer, claim, done)
        world.count("batch published")

    async def _load(self, claim: Claim, customer: str, state: str) -> None:
        text = f"INSERT INTO batch_view_{claim.slot} (customer_id, batch_id, state) VALUES (?, ?, ?) USING TIMESTAMP {claim.batch_id}"  # noqa: E501
        await self.ask(text, (customer, claim.batch_id, state))

    async def _verify(self, claim: Claim, states: Mapping[str, str]) -> None:
        text = f"SELECT customer_id, batch_id, state FROM batch_view_{claim.slot} WHERE customer_id IN ?"
        rows = await self.ask(text, (sorted(self.world.judge.oracle.mentioned),))
        if {row.customer_id: row.state for row in rows if row.batch_id == claim.batch_id} != states:
            publish.check_held(self.pointer, claim)
            raise AssertionError(f"slot {claim.slot} of batch {claim.batch_id} is not what was loaded")

    async def ask(self, text: str, values: Sequence[Any]) -> list[Any]:
        statement = in_one_page(self._session.driver.prepare(text))
        while True:
            try:
                return await self._session.execute(statement.bind(values))
            except StoreUnavailable:
                await self.later("asks again")


def recomputed(world: "World", cut: Cut) -> dict[str, ViewRow]:
    """R16: a row for every customer with a current fact below the cut."""
    return {customer: _row(facts, customer) for customer, facts in current_facts(world, cut).items()}


def images(world: "World", cut: Cut) -> dict[str, dict[tuple[str, str], Image]]:
    """The current facts' images below the cut, by customer."""
    found = current_facts(world, cut)
    return {customer: {entity: fact.after for entity, fact in facts.items()} for customer, facts in found.items()}


def current_facts(world: "World", cut: Cut) -> dict[str, dict[tuple[str, str], Fact]]:
    """R16: of every customer with a current fact below the cut, the current facts."""
    facts: dict[str, dict[tuple[str, str], Fact]] = {}
    for record in world.log.records:
        event = world.events.get(Position(record.partition, record.offset))
        if event is None or record.offset >= cut[record.partition]:
            continue
        current = facts.setdefault(event.customer_id, {})
        if event.image is None:
            current.clear()
            continue
        _, fact = decide(current.get((event.kind, event.entity_id)), event.image, record.offset)
        if fact is not None:
            current[event.kind, event.entity_id] = fact
    return {customer: current for customer, current in facts.items() if current}


def _row(current: Mapping[tuple[str, str], Fact], customer: str) -> ViewRow:
    profile = current.get((PROFILE, customer))
    state = State.sum(contribution(fact.after.payload) for fact in current.values())
    return ViewRow(state, None if profile is None else profile.after)


class Reader(Process):
    """A request whose reads take their time, while everything else goes on."""

    def __init__(self, world: "World", name: str, customers: Sequence[str]) -> None:
        super().__init__(world, name)
        self._customers = customers
        self._store = CassandraViewStore(Session(world, self, named=False), SETTINGS, at_once)
        self._answers = Answers(lambda: self._store, SETTINGS, lambda: world.loop.now)
        self.spawn(self._ask())

    async def _ask(self) -> None:
        since = self.world.judge.now()
        try:
            answers = await self._answers.of(self._customers, AS_OF)
        except StoreUnavailable:
            self.world.count("reader refused (503)")
        else:
            self.world.count("slow reader answered")
            self.world.judge.check(answers, since)
        self.dead = True
