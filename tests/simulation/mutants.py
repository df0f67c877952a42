"""The core, broken on purpose: each mutant forgets one clause of the contract, and some seed must see it."""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest.mock import patch

import msgspec

from common.algebra import measures, merge
from common.algebra.facts import Delta, Fact, Image, Outcome, decide
from common.algebra.merge import Merged
from common.algebra.profile import KIND as PROFILE
from common.algebra.state import State
from common.algebra.view_row import ViewRow
from common.progress import Progress
from common.speed_cql import MARKER
from serving_layer.answer import answers
from serving_layer.read import reading
from serving_layer.read.store import DeltaRow, ViewStore
from speed_layer.apply import decide as apply
from speed_layer.apply.cache import FactCache
from speed_layer.apply.delivered import Delivered
from speed_layer.apply.lanes import Lane
from speed_layer.apply.pipeline import Pipeline
from speed_layer.apply.rows import Change, Mutation, Placed, Reset
from speed_layer.apply.worker import Step, Worker
from speed_layer.progress import keeper
from speed_layer.progress.keeper import Keeper, Kept
from speed_layer.progress.table import ProgressTable
from speed_layer.store.statements import Statements
from tests.simulation import batch_mutants, kept_mutants, loss_mutants, network
from tests.simulation.batch_mutants import Patch
from tests.simulation.cql import Table
from tests.simulation.network import Bound, said

Decision = tuple[Outcome, Fact | None]


def without_fence(current: Fact | None, image: Image, offset: int) -> Decision:
    """A record below the stored offset is decided like any other."""
    if current is not None and offset < current.offset:
        current = msgspec.structs.replace(current, offset=offset - 1)
    return decide(current, image, offset)


def skip_equal(current: Fact | None, image: Image, offset: int) -> Decision:
    """A record at the stored offset counts as applied."""
    if current is not None and offset == current.offset:
        return Outcome.SKIPPED, None
    return decide(current, image, offset)


def decide_alerts_anew(current: Fact | None, image: Image, offset: int) -> Decision:
    """A record at the stored offset is rewritten, and its alerts come from what is stored by now."""
    if current is not None and offset == current.offset:
        return Outcome.CHANGED, Fact(offset, current.before, image)
    return decide(current, image, offset)


def delta_without_fact(core: Statements, statements: list[Any], customer_id: str, change: Change) -> int:
    start = len(statements)
    size = ADD(core, statements, customer_id, change)
    statements[start:] = [one for one in statements[start:] if said(one).table != "speed_facts"]
    return size


def by_the_clock(core: Statements, statements: list[Any], customer_id: str, change: Change) -> int:
    """Writes carry the time at which they were made."""
    start = len(statements)
    size = ADD(core, statements, customer_id, change)
    statements[start:] = [Bound(_at_no_time(said(one))) for one in statements[start:]]
    return size


def reset_without_marker(core: Statements, customer_id: str, reset: Reset) -> Iterator[Any]:
    for one in RESET(core, customer_id, reset):
        if getattr(said(one), "clustering", None) != MARKER:
            yield one


def progress_before_write(worker: Worker, record: Delivered) -> bool:
    taken = TAKE(worker, record)
    if taken:
        record.link.lane.advance(record.offset + 1, record.appended_at)
    return taken


async def publish_after_progress(worker: Worker, steps: Sequence[Step]) -> None:
    for step in steps:
        for lane, last in step.ends.values():
            lane.advance(last.offset + 1, last.appended_at)
    await PUBLISH(worker, steps)


async def side_by_side(
    worker: Worker, customers: Mapping[str, Sequence[Placed]], step: Step, _: Collection[asyncio.Task[None]]
) -> None:
    """A customer's records in two micro-batches are applied at the same time."""
    await APPLY(worker, customers, step, ())


async def publish_what_is_applied_first(pipeline: Pipeline) -> None:
    """Micro-batches are published, and their lanes advanced, in the order in which they are done."""
    steps = list[asyncio.Task[Step]]()
    while True:
        steps = steps or [await pipeline._steps.get()]
        while not pipeline._steps.empty():
            steps.append(pipeline._steps.get_nowait())
        await asyncio.wait(steps, return_when=asyncio.FIRST_COMPLETED)
        done = next(step for step in steps if step.done())
        steps.remove(done)
        await pipeline._worker.publish([done.result()])
        pipeline._unpublished.release()


def all_in_one_mutation(*arguments: Any) -> Iterator[Mutation]:
    """Several records of an entity share a mutation."""
    together: list[Change] = []
    for mutation in MUTATIONS(*arguments):
        if isinstance(mutation, Reset):
            if together:
                yield tuple(together)
            yield mutation
            together = []
        else:
            together += mutation
    if together:
        yield tuple(together)


def keep_the_cache(_: FactCache) -> None:
    """What was known is taken for known after a rebalance."""


async def read_once(
    store: ViewStore, generation: int, customers: Collection[str], *, cut: int, complete_below: int
) -> Mapping[str, Sequence[DeltaRow]]:
    """Serving names the offset after the last delta it found, however torn the read."""
    return await store.deltas(generation, customers, cut)


async def remember(table: ProgressTable) -> dict[int, Progress]:
    rows = LAST_READ[id(table)] = await READ(table)
    return rows


def begin_from_the_last_read(keeper: Keeper, lane: Lane) -> Kept:
    """What a lane keeps is taken from the rows that were read last, whichever start they were read for."""
    kept, row = BEGIN(keeper, lane), LAST_READ[id(keeper.table)].get(lane.partition)
    kept.from_offset = lane.start if row is None else row.from_offset
    return kept


def repair_every_table(_: Table) -> bool:
    """The schema leaves `read_repair` at Cassandra's default."""
    return True


def first_profile_wins(base: ViewRow | None, live: Sequence[tuple[int, Delta]]) -> Image | None:
    """Of several versions of a profile, the merge takes the oldest that it sees."""
    found = sorted((offset, delta.after) for offset, delta in live if delta.kind == PROFILE)
    if base is not None and base.profile is not None:
        return base.profile
    return found[0][1] if found else None


def keep_the_profile(batch: ViewRow | None, deltas: Sequence[tuple[int, Delta]], cut: int) -> Merged:
    """A reset forgets the days, and not the batch's profile."""
    merged = MERGE(batch, deltas, cut)
    if batch is None or merged.image is not None:
        return merged
    return msgspec.structs.replace(merged, image=batch.profile)


def retraction_takes_nothing_away(start: State, deltas: Iterable[Delta]) -> State:
    """In the speed layer a retracted fact still counts."""
    return SUM(start, (delta for delta in deltas if delta.after is None or not delta.after.retracted))


def repeat_undoes_a_retraction(current: Fact | None, image: Image, offset: int) -> Decision:
    """On equal versions the later record wins, whether it takes back or not."""
    if current is not None and offset > current.offset and image.version == current.after.version:
        outcome = Outcome.REPEATED if image == current.after else Outcome.CHANGED
        return outcome, None if outcome is Outcome.REPEATED else Fact(offset, current.after, image)
    return decide(current, image, offset)


def _at_no_time(one: Any) -> Any:
    """The statement without a timestamp: the coordinator takes its clock's."""
    return one._replace(timestamp=None)


ADD, RESET = Statements._add, Statements._reset
MERGE, SUM = merge.merge, measures.sum_of
READ, BEGIN = ProgressTable.read, Keeper._begin
LAST_READ: Final[dict[int, dict[int, Progress]]] = {}
"""By table's identity."""
TAKE, APPLY, PUBLISH, MUTATIONS = Worker._take, Worker._apply, Worker.publish, apply.mutations

MUTANTS: Final[Mapping[str, Sequence[Patch]]] = {
    "skip the fence": [(apply, "decide", without_fence)],
    "write the delta without the fact": [(Statements, "_add", delta_without_fact)],
    "move progress before the write": [(Worker, "_take", progress_before_write)],
    "skip at an equal offset instead of rewriting": [(apply, "decide", skip_equal)],
    "keep the cache over a rebalance": [(FactCache, "clear", keep_the_cache)],
    "two records of an entity in one mutation": [(apply, "mutations", all_in_one_mutation)],
    "use the clock": [(Statements, "_add", by_the_clock)],
    "a heartbeat is younger than what is known of expiry": [(keeper, "TRUSTED_MICROS", 10**15)],
    "forget the reset marker": [(Statements, "_reset", reset_without_marker)],
    "decide an alert anew on rewriting": [(apply, "decide", decide_alerts_anew)],
    "trust one read of two replicas": [(reading, "whole_deltas", read_once)],
    "publish after progress": [(Worker, "publish", publish_after_progress)],
    "two micro-batches work on a customer at once": [(Worker, "_apply", side_by_side)],
    "publish a micro-batch before an earlier one": [(Pipeline, "keep_publishing", publish_what_is_applied_first)],
    "from_offset from another read than the start": [
        (ProgressTable, "read", remember),
        (Keeper, "_begin", begin_from_the_last_read),
    ],
    "a point read repairs half a mutation": [(network, "is_repaired", repair_every_table)],
    "the profile of the older version wins": [(merge, "_image", first_profile_wins)],
    "the profile is kept over a reset": [(answers, "merge", keep_the_profile)],
    "a retracted fact still counts in one layer": [(merge, "sum_of", retraction_takes_nothing_away)],
    "a repeat undoes a retraction": [(apply, "decide", repeat_undoes_a_retraction)],
    **batch_mutants.MUTANTS,
    **loss_mutants.MUTANTS,
    **kept_mutants.MUTANTS,
}
FOCUS: Final = {
    "trust one read of two replicas": "readers",
    "publish after progress": "publishing",
    "publish a micro-batch before an earlier one": "readers",
    "keep the cache over a rebalance": "expiry",
    "decide an alert anew on rewriting": "publishing",
    "two records of an entity in one mutation": "timeouts",
    "the profile is kept over a reset": "erasures",
    **batch_mutants.FOCUS,
    **loss_mutants.FOCUS,
    **kept_mutants.FOCUS,
}
"""The kind of world that shows a mutant, where the usual one seldom does."""
RARE: Final = frozenset(
    {
        "a heartbeat is younger than what is known of expiry",
        "a point read repairs half a mutation",
        "from_offset from another read than the start",
        *kept_mutants.RARE,
    }
)
"""Mutants that one seed in thousands shows: test_histories.py shows them."""


@contextmanager
def mutated(name: str | None) -> Iterator[None]:
    """The core with this fault in it, for as long as the block runs."""
    with ExitStack() as stack:
        for target, attribute, replacement in MUTANTS[name] if name else ():
            stack.enter_context(patch.object(target, attribute, replacement))
        yield
