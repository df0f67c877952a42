"""The audit in the simulated world: its pure parts, on what two replicas answer while everything else goes on (R18)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from batch_layer.audit.compare import Gathered, Verdict, compared
from batch_layer.audit.passage import Passage, judged
from batch_layer.audit.stored import Stored, differences
from batch_layer.view import publish
from common.algebra.cut import Cut
from common.algebra.facts import Image, decode_fact
from common.algebra.pointer import Claim, cut_of
from common.errors import ClaimLost
from common.log.partition import partition_of
from common.progress import Progress, select_progress
from common.speed_cql import MARKER
from common.tables import FIRST_GENERATION
from tests.simulation.judge import Wrong
from tests.simulation.process import MARGIN_SECONDS
from tests.simulation.scenery import PARTITIONS

if TYPE_CHECKING:
    from tests.simulation.batch import BatchRun

SURE_SECONDS: Final = MARGIN_SECONDS / 2
"""A worker that has been silent for longer leaves it open which deltas have expired."""
WAITS: Final = (0, 10, 60)
"""How often a run looks whether the speed layer has passed its cut, before it audits what it can."""
DELTAS: Final = "SELECT kafka_offset, value FROM speed_deltas WHERE customer_id = ? AND kafka_offset >= ?"
FACTS: Final = "SELECT kind, entity_id, value FROM speed_facts WHERE customer_id = ?"
Facts = Mapping[str, Mapping[tuple[str, str], Image]]
"""By customer, the current facts below the new cut."""


async def audit(run: "BatchRun", claim: Claim, states: Mapping[str, str], facts: Facts) -> None:
    """Every customer that can be audited is. Raises Wrong for drift: in this world nothing is lost, so it is false."""
    current = publish.read(run.pointer).published
    cut = cut_of(current)
    before = await _awaited(run, claim, cut)
    base = await _slot(run, current) if current is not None else {}
    drifted: dict[str, str] = {}
    for customer in sorted(run.world.judge.oracle.mentioned):
        partition = partition_of(customer, PARTITIONS)
        new_cut = claim.plan.cut[partition]
        if partition in before.audited:
            cells = [tuple(row) for row in await run.ask(DELTAS, (customer, cut[partition]))]
            gathered = Gathered(customer, base.get(customer), states.get(customer), cells)
            verdict = compared(gathered, cut[partition], new_cut)
            run.world.count(f"audit: {verdict.value}")
            if verdict is Verdict.DRIFT:
                drifted[customer] = f"{gathered}, cuts {cut[partition]} and {new_cut}"
        if partition in before.passed:
            wrong = differences(_stored(await run.ask(FACTS, (customer,))), facts.get(customer, {}), new_cut)
            if wrong:
                raise Wrong(f"{customer}: false drift of facts {wrong} below {new_cut}")
    after = await _passage(run, claim, cut)
    try:
        publish.check_held(run.pointer, claim)
    except ClaimLost:
        return  # another run may have taken the current batch's slot, too
    false = {name: text for name, text in drifted.items() if partition_of(name, PARTITIONS) in after.audited}
    if false:
        raise Wrong(f"false drift: {false}; {before} {after}")


async def _awaited(run: "BatchRun", claim: Claim, cut: Cut) -> Passage:
    """Where the speed layer stands once it has passed the new cut, or does not reach it soon."""
    passage = await _passage(run, claim, cut)
    for _ in range(run.world.random.choice(WAITS)):
        if len(passage.passed) == PARTITIONS:
            break
        await run.later("waits for the speed layer")
        passage = await _passage(run, claim, cut)
    return passage


async def _passage(run: "BatchRun", claim: Claim, cut: Cut) -> Passage:
    found = map(Progress.of_row, await run.ask(select_progress(), (FIRST_GENERATION,)))
    rows = {row.partition: row for row in found}
    return judged(rows, claim.plan, cut, run.world.loop.now, uncertain_seconds=SURE_SECONDS)


async def _slot(run: "BatchRun", current: Any) -> dict[str, str]:
    select = f"SELECT customer_id, batch_id, state FROM batch_view_{current.slot} WHERE customer_id IN ?"
    rows = await run.ask(select, (sorted(run.world.judge.oracle.mentioned),))
    return {row.customer_id: row.state for row in rows if row.batch_id == current.batch_id}


def _stored(rows: Sequence[Any]) -> Stored:
    reset = next((int(row.value) for row in rows if (row.kind, row.entity_id) == MARKER), None)
    found = {(row.kind, row.entity_id): decode_fact(row.value) for row in rows if (row.kind, row.entity_id) != MARKER}
    return Stored(reset, found)
