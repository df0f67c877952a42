"""The batch layer over the log: its runs, which audit before they publish; and readers who take their time."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from batch_layer.view import publish
from common.algebra import marks
from common.algebra.marks import MARK_OFFSET, Mark, encode_mark
from common.algebra.pointer import Claim, Plan, Pointer, Published
from common.algebra.versions import logic_version
from common.errors import BatchError, ClaimLost, LogError, StoreUnavailable
from common.log.events import validation_version
from common.log.partition import partition_of
from common.progress import Progress
from common.servers.cassandra import AsyncSession, in_one_page
from common.speed_cql import insert_reset
from common.tables import Tables
from serving_layer.read.cassandra_store import CassandraViewStore
from serving_layer.read.pins import PinKeeper
from serving_layer.read.store import Pin
from tests.simulation import judge
from tests.simulation.audit import Audit, Recomputation, Report
from tests.simulation.network import Session
from tests.simulation.pointer import PointerSession
from tests.simulation.process import RULES, SETTINGS, Process, at_once
from tests.simulation.scenery import PARTITIONS
from tests.simulation.truth import current_facts, rows_of
from tests.simulation.verdict import checked
from tests.support.builders import AS_OF

if TYPE_CHECKING:
    from tests.simulation.world import World


class BatchRun(Process):
    """One run: archive, claim, recompute, load, read back and audit, publish."""

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
        except LogError:
            self.world.count("batch refused: records are gone")
        except BatchError:
            self.world.count("batch given up")
        self.dead = True

    async def _work(self) -> None:
        world = self.world
        await self.later("archives")
        cut = world.master.archive(self.pointer)
        plan = Plan(len(world.log.records), cut, logic_version(), validation_version(RULES))
        await self.later("claims")
        claim = publish.claim(self.pointer, plan)
        made = self._recomputed(plan)
        for customer, state in made.rows.items():
            await self._load(claim, customer, state)
        report = await Audit(self, claim, made).report()
        publish.check_held(self.pointer, claim)
        checked(world, made, report)
        marked_in = await self._decided(claim, made, report)
        await self.later("publishes")
        done = Published(claim.batch_id, claim.slot, plan, world.loop.now, len(made.rows), "checksum")
        publish.publish(self.pointer, claim, done, marked_in=marked_in)
        world.count("batch published")

    def _recomputed(self, plan: Plan) -> Recomputation:
        """What the log gives below the cut; where there is tampering, a record may be missing from it.

        Equal plans give equal batches, so runs of the same plan lack the same record: they may share a claim.
        """
        world, cut = self.world, plan.cut
        if plan not in world.lacking:
            below = [at for at in sorted(world.events) if at.offset < cut[at.partition] and at not in world.losses.lost]
            lacks = below and world.profile.tampering and world.random.random() < 0.1
            world.lacking[plan] = world.random.choice(below) if lacks else None
        without = world.lacking[plan]
        facts = current_facts(world, cut, without=without)
        rows = {customer: row.to_json() for customer, row in rows_of(facts).items()}
        return Recomputation(rows, facts, without)

    async def _load(self, claim: Claim, customer: str, state: str) -> None:
        text = f"INSERT INTO batch_view_{claim.slot} (customer_id, batch_id, state) VALUES (?, ?, ?) USING TIMESTAMP {claim.batch_id}"  # noqa: E501
        await self.ask(text, (customer, claim.batch_id, state))

    async def _decided(self, claim: Claim, made: Recomputation, report: Report) -> int | None:
        """The operator accepts what was found, or gives up; returns the generation in which customers have marks."""
        random, count = self.world.random, self.world.count
        if made.without is not None or not report.is_complete:
            raise BatchError("the batch itself is wrong")
        if report.after.reasons and random.random() < 0.3:
            count("audit: unaudited, refused")
            raise BatchError("unaudited")
        if report.drifted and random.random() < 0.3:
            count("audit: drift refused")
            raise BatchError("drift")
        for customer, drifted in report.drifted.items():
            if not drifted.is_marked:
                count("audit: drift accepted")
                await self._mark(claim, report.scope.generation, customer, tuple(drifted.classes))
        return report.scope.generation if report.drifted else None

    async def _mark(self, claim: Claim, generation: int, customer: str, classes: tuple[str, ...]) -> None:
        """The statement of production's `drift.mark`."""
        cut = claim.plan.cut[partition_of(customer, PARTITIONS)]
        mark = judge.Mark(claim.batch_id, cut)
        self.world.judge.marks[generation, customer] = mark
        text = encode_mark(Mark(accepted_drift=claim.batch_id, classes=classes))
        await self.ask(insert_reset(Tables(generation)), (customer, MARK_OFFSET, text, marks.timestamp_of(cut)))
        self.world.judge.marked(generation, customer, mark)

    async def ask(self, text: str, values: Sequence[Any]) -> list[Any]:
        """The statement's rows, however long it takes. Raises BatchError where its table was dropped."""
        statement = in_one_page(self._session.driver.prepare(text))
        while True:
            try:
                return await self._session.execute(statement.bind(values))
            except StoreUnavailable as error:
                if self.world.is_gone(text):
                    raise BatchError("the speed tables were rebuilt twice meanwhile") from error
                await self.later("asks again")


class NotingStore(CassandraViewStore):
    """Notes what was pinned last, and what was acknowledged then, and when progress was asked for last."""

    pinned = Pointer()
    since = judge.Since({}, {})
    since_progress = judge.Since({}, {})

    def __init__(self, world: "World", reader: "Reader") -> None:
        super().__init__(Session(world, reader, named=False), SETTINGS, at_once)
        self._world = world

    async def pin(self) -> Pin:
        found = await super().pin()
        self.pinned, self.since = found.pointer, self._world.judge.now()
        return found

    async def progress(self, generation: int, partitions: Collection[int]) -> Mapping[int, Progress]:
        self.since_progress = self._world.judge.now()
        return await super().progress(generation, partitions)


class Reader(Process):
    """A request whose reads take their time, while everything else goes on."""

    def __init__(self, world: "World", name: str, customers: Sequence[str]) -> None:
        super().__init__(world, name)
        self._customers = customers
        self.store = NotingStore(world, self)
        self._pins = PinKeeper(lambda: self.store, SETTINGS.serving, world.loop.time) if world.profile.kept else None
        self._answers = judge.Told(lambda: self.store, SETTINGS, lambda: world.loop.now, self._pins)
        self.spawn(self._run())

    async def _run(self) -> None:
        try:
            await (self._ask() if self._pins is None else self._ask_by_a_kept_pin(self._pins))
        except StoreUnavailable:
            self.world.count("reader refused (503)")
        self.dead = True

    async def _ask(self) -> None:
        answers = await self._answers.of(self._customers, AS_OF)
        self.world.count("slow reader answered")
        self.world.judge.check(answers, self.store.since, self.store.pinned)

    async def _ask_by_a_kept_pin(self, pins: PinKeeper) -> None:
        """Takes a pin, and asks by it again and again. What it vouches for no more is answered by another pin."""
        kept, world = await pins.renew(), self.world
        since = self.store.since_progress
        for holds in (0, 1, 5):
            for _ in range(holds):
                await self.later("holds its pin")
            asked = judge.Asked(world.loop.now, world.judge.now())
            answers = await self._answers.of(self._customers, AS_OF)
            if self._answers.pin is kept.pin:
                world.count("slow reader answered by a kept pin")
                world.judge.check(answers, since, kept.pin.pointer, asked)
            else:
                world.count("slow reader pinned past its kept pin")
                world.judge.check(answers, self.store.since, self.store.pinned)
