"""The audit in the simulated world: its pure parts, on what two replicas answer while everything else goes on (R18)."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from batch_layer.audit import classes, compare, passage, stored
from batch_layer.audit.classes import Evidence
from batch_layer.audit.compare import Cell, Gathered, Verdict
from batch_layer.audit.history import Recorded
from batch_layer.audit.passage import Passage
from batch_layer.audit.ranges import Scope
from batch_layer.audit.stored import Stored
from batch_layer.audit.tally import Tally
from batch_layer.view import publish
from batch_layer.view.digest import of_row
from common.algebra.cut import Cut
from common.algebra.facts import decode_fact
from common.algebra.marks import MARK_OFFSET
from common.algebra.pointer import Claim, Published, cut_of
from common.errors import BatchError
from common.log.partition import partition_of
from common.log.position import Position
from common.progress import Progress, select_progress
from common.speed_cql import MARKER
from common.tables import Tables
from tests.simulation.judge import Since
from tests.simulation.process import MARGIN_SECONDS, SETTINGS
from tests.simulation.scenery import PARTITIONS
from tests.simulation.truth import Facts, images_of

if TYPE_CHECKING:
    from tests.simulation.batch import BatchRun

SURE_SECONDS: Final = MARGIN_SECONDS / 2
"""A worker that has been silent for longer leaves it open which deltas have expired."""
WAIT_SECONDS: Final = (0, 60, 240)
POLL_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Recomputation:
    """What a run computed, and loaded into its slot: each customer's text, and the facts that it was made of."""

    rows: Mapping[str, str]
    facts: Facts
    without: Position | None
    """A record of the log that it lacks."""


@dataclass(frozen=True, slots=True)
class Drifted:
    """A customer with drift: its classes, and whether an operator accepted drift of it earlier."""

    classes: Mapping[str, str]
    is_marked: bool


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit compared, and what it found."""

    scope: Scope
    before: Passage
    after: Passage
    tally: Tally
    is_complete: bool
    drifted: Mapping[str, Drifted]
    since: Since
    """What was acknowledged when it began."""
    step: int

    @property
    def cut(self) -> Cut:
        return self.scope.cut

    @property
    def new_cut(self) -> Cut:
        return self.scope.claim.plan.cut

    def is_audited(self, partition: int) -> bool:
        return partition in self.before.audited & self.after.audited

    def is_passed(self, partition: int) -> bool:
        return partition in self.before.passed & self.after.passed


class Audit:
    """Production's `audit.found`, by its own decisions; what it reads is the simulation's."""

    def __init__(self, run: "BatchRun", claim: Claim, made: Recomputation) -> None:
        self._run, self._claim, self._made = run, claim, made
        self._customers = sorted(run.world.judge.oracle.mentioned)

    async def report(self) -> Report:
        """Raises BatchError if the speed tables were rebuilt meanwhile, and ClaimLost if a newer batch is current."""
        run, claim, world = self._run, self._claim, self._run.world
        since, step = world.judge.now(), world.steps
        current = publish.read(run.pointer).published
        publish.check_newest(current, claim.plan)
        cut = cut_of(current)
        generation = publish.read(run.pointer).generation
        before = await self._awaited(cut)
        scope = Scope(
            settings=SETTINGS,
            claim=claim,
            base=current,
            cut=cut,
            generation=generation,
            audited=before.audited,
            ranges=1,
        )
        tally = await self._scanned(scope)
        is_complete = tally.digest == digest_of(self._made.rows)
        wrong = await self._wrong_facts(scope, before) if is_complete else []
        after = passage.judged(await self._progress(), claim.plan, cut, world.now, uncertain_seconds=SURE_SECONDS)
        if publish.read(run.pointer).generation != generation:
            raise BatchError("the speed tables were rebuilt during the audit")
        found: dict[str, Drifted] = {}
        report = Report(scope, before, after, tally, is_complete, found, since, step)
        for customer in dict.fromkeys((*tally.customers, *wrong)):
            drifted = await self._examined(report, customer)
            if drifted is not None:
                found[customer] = drifted
        return report

    async def _awaited(self, cut: Cut) -> Passage:
        """Where the speed layer stands once it has passed the new cut, or is waited for no longer."""
        world, plan = self._run.world, self._claim.plan
        deadline = world.now + world.random.choice(WAIT_SECONDS) * 1_000_000
        while True:
            rows, now = await self._progress(), world.now
            coming = [p for p, end in plan.cut.offsets.items() if passage._is_coming(rows.get(p), plan, end, now)]
            if not coming or now >= deadline:
                return passage.judged(rows, plan, cut, now, uncertain_seconds=SURE_SECONDS)
            await asyncio.sleep(POLL_SECONDS)

    async def _progress(self) -> dict[int, Progress]:
        generation = publish.read(self._run.pointer).generation
        found = map(Progress.of_row, await self._run.ask(select_progress(), (generation,)))
        return {row.partition: row for row in found}

    async def _scanned(self, scope: Scope) -> Tally:
        least = min((scope.cut[partition] for partition in scope.audited), default=0)
        select = f"SELECT customer_id, kafka_offset, value FROM {Tables(scope.generation).deltas} WHERE customer_id IN ? AND kafka_offset >= ?"  # noqa: E501
        new, deltas, base = await asyncio.gather(
            self._slot(self._claim), self._run.ask(select, (self._customers, least)), self._slot(scope.base)
        )
        cells: dict[str, list[Cell]] = {}
        for row in deltas:
            cells.setdefault(row.customer_id, []).append((row.kafka_offset, row.value))
        tally = Tally()
        for customer, state in new.items():
            tally.digest += of_row(customer, state)
        for customer in {**new, **base, **cells}:
            gathered = Gathered(customer, base.get(customer), new.get(customer), cells.get(customer, ()))
            tally.add(customer, scope.verdict(gathered))
        return tally

    async def _slot(self, batch: Claim | Published | None) -> dict[str, str]:
        if batch is None:
            return {}
        select = f"SELECT customer_id, batch_id, state FROM batch_view_{batch.slot} WHERE customer_id IN ?"
        rows = await self._run.ask(select, (self._customers,))
        return {row.customer_id: row.state for row in rows if row.batch_id == batch.batch_id}

    async def _wrong_facts(self, scope: Scope, before: Passage) -> list[str]:
        wrong = []
        for customer in self._customers:
            partition = partition_of(customer, PARTITIONS)
            if partition in before.passed and customer in self._made.facts:
                held = await self._stored(scope.generation, customer)
                images = images_of(self._made.facts, customer)
                if stored.differences(held, images, self._claim.plan.cut[partition]):
                    wrong.append(customer)
                self._run.world.counts["audit: facts compared"] += len(images)
        return wrong

    async def _stored(self, generation: int, customer: str) -> Stored:
        select = f"SELECT kind, entity_id, value FROM {Tables(generation).facts} WHERE customer_id = ?"
        rows = {(row.kind, row.entity_id): row.value for row in await self._run.ask(select, (customer,))}
        reset = rows.pop(MARKER, None)
        return Stored(
            None if reset is None else int(reset), {entity: decode_fact(text) for entity, text in rows.items()}
        )

    async def _examined(self, report: Report, customer: str) -> Drifted | None:
        """Production's `evidence.examined`, for one customer."""
        scope, partition = report.scope, partition_of(customer, PARTITIONS)
        held = await self._stored(scope.generation, customer)
        select = f"SELECT kafka_offset, value FROM {Tables(scope.generation).deltas} WHERE customer_id = ?"
        cells = [(row.kafka_offset, row.value) for row in await self._run.ask(select, (customer,))]
        base, new = (await self._slot(scope.base)).get(customer), (await self._slot(scope.claim)).get(customer)
        evidence = Evidence(
            base=base,
            new=new,
            deltas=[cell for cell in cells if cell[0] != MARK_OFFSET],
            stored=held,
            records=self._records(customer, partition),
            cut=scope.cut[partition],
            new_cut=report.new_cut[partition],
            is_base_stored=scope.base is not None,
            are_deltas_alive=report.is_audited(partition),
        )
        gathered = Gathered(customer, base, new, evidence.deltas)
        verdict = compare.compared(gathered, evidence.cut, evidence.new_cut)
        images = images_of(self._made.facts, customer)
        is_drift = report.is_audited(partition) and verdict is Verdict.DRIFT
        is_wrong = report.is_passed(partition) and bool(stored.differences(held, images, evidence.new_cut))
        if verdict is Verdict.RESET or not (is_drift or is_wrong):
            return None
        found = {str(drift): text for drift, text in classes.classified(evidence)}
        return Drifted(found, any(offset == MARK_OFFSET for offset, _ in cells))

    def _records(self, customer: str, partition: int) -> Sequence[Recorded]:
        events, below = self._run.world.events, self._claim.plan.cut[partition]
        return [
            Recorded(at.offset, event.kind, event.entity_id, event.image)
            for at, event in sorted(events.items())
            if event.customer_id == customer
            and at.offset < below
            and at != self._made.without
            and at not in self._run.world.losses.lost
        ]


def digest_of(rows: Mapping[str, str]) -> Any:
    """The digest of what was loaded."""
    tally = Tally()
    for customer, state in rows.items():
        tally.digest += of_row(customer, state)
    return tally.digest
