"""What an audit must say: nothing of what is sound, and what was tampered with by name and class (R18)."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from batch_layer.audit.classes import Drift
from common.log.partition import partition_of
from common.log.position import Position
from tests.simulation.audit import SURE_SECONDS, Recomputation, Report
from tests.simulation.scenery import PARTITIONS
from tests.simulation.tampering import Kind, Tamper
from tests.simulation.truth import current_facts, rows_of
from tests.simulation.wrong import Wrong

if TYPE_CHECKING:
    from tests.simulation.world import World

REASONS: Final = {
    "the speed layer never ran": re.compile(r"partitions? ([\d, ]+): the speed layer never ran.*"),
    "the speed layer is too late": re.compile(r"partitions? ([\d, ]+): the speed layer is at offset (\d+), .*"),
    "deltas expired": re.compile(r"partitions? ([\d, ]+): deltas below offset (\d+) have expired.*"),
    "silent for long": re.compile(r"partitions? ([\d, ]+): no worker has sent a heartbeat for long.*"),
}
CLASSES: Final = {
    Kind.LOST_DELTA: Drift.MISSING_DELTA,
    Kind.CHANGED_FACT: Drift.WRONG_FACT,
    Kind.LOST_SLOT_ROW: Drift.LOST_SLOT_ROW,
}


def checked(world: "World", made: Recomputation, report: Report) -> None:
    """Counts what the audit did. Raises Wrong where it is not right."""
    counts, tally = world.counts, report.tally
    counts["audit"] += 1
    counts["audit: customers compared"] += tally.compared
    counts["audit: customers skipped for a reset"] += tally.skipped
    for text in report.after.reasons:
        counts[f"audit: unaudited, {_verified(world, report, text)}"] += 1
    _check_slot(world, report)
    if not report.is_complete:
        return
    suspects = set(_suspects(world, made, report))
    false = {name: drifted for name, drifted in report.drifted.items() if name not in suspects}
    if false:
        raise Wrong(f"false drift: {false}; cuts {report.cut} and {report.new_cut}, {report.before}, {report.after}")
    for customer, kinds, what in (*_demanded(world, made, report), *_demanded_of_the_run(world, made, report)):
        found = report.drifted.get(customer)
        if found is None or not kinds & found.classes.keys():
            raise Wrong(f"the audit does not find {what} of {customer} ({kinds}), but {found}; {report}")
        for drift in found.classes:
            counts[f"audit: found {drift}"] += 1


def _check_slot(world: "World", report: Report) -> None:
    """The loaded slot is what was loaded, or a row of it is known to be lost."""
    claim = report.scope.claim
    lost = [each for each in world.tampering.done if each.batch_id == claim.batch_id]
    if not report.is_complete:
        if not lost:
            raise Wrong(f"slot {claim.slot} of batch {claim.batch_id} is not what was loaded")
        world.count("audit: found a lost row of the loaded slot")
    elif any(each.step < report.step and world.tampering.stands(each) for each in lost):
        raise Wrong(f"the audit does not find that slot {claim.slot} of batch {claim.batch_id} lost a row")


def _suspects(world: "World", made: Recomputation, report: Report) -> Iterator[str]:
    """Customers of whom drift is true."""
    base = report.scope.base
    for each in world.tampering.done:
        if each.kind is Kind.LOST_SLOT_ROW:
            if base is not None and base.batch_id == each.batch_id:
                yield each.customer
        elif each.generation == report.scope.generation:
            yield each.customer
    if made.without is not None:
        yield world.events[made.without].customer_id
    if any(report.scope.generation in gone.seen_by for gone in world.losses.gone):
        yield from world.losses.customers  # the speed tables hold what the master never will


def _demanded(world: "World", made: Recomputation, report: Report) -> Iterator[tuple[str, set[str], str]]:
    """Customers that must be found, and in which class.

    Any class will do for the customer of a record that the recomputation lacks: what else is wrong with an entity may
    follow from that record, so the audit names the late batch alone. Nothing shows a lost delta of that very record:
    without it both layers agree.
    """
    lacking = None if made.without is None else world.events[made.without].customer_id
    for each in world.tampering.done:
        partition = partition_of(each.customer, PARTITIONS)
        is_mixed = each.customer in world.losses.customers
        is_lacked = each.kind is Kind.LOST_DELTA and made.without == Position(partition, each.offset)
        if is_lacked and _is_another_row(world, made, report):
            continue
        if each.step >= report.step or not each.counts or is_mixed or not world.tampering.stands(each):
            continue
        if _is_visible(world, each, report, partition):
            kinds = {str(CLASSES[each.kind])} if each.customer != lacking else {str(drift) for drift in Drift}
            yield each.customer, kinds, str(each.kind)


def _is_visible(world: "World", tamper: Tamper, report: Report, partition: int) -> bool:
    """Whether what was tampered with counts between the cuts; an erasure may hide it."""
    cut, new_cut, erased = report.cut[partition], report.new_cut[partition], world.resets.get(tamper.customer, -1)
    if tamper.kind is Kind.LOST_SLOT_ROW:
        base = report.scope.base
        is_base = base is not None and base.batch_id == tamper.batch_id
        return is_base and report.is_audited(partition) and erased < cut
    if tamper.generation != report.scope.generation or erased > tamper.offset:
        return False
    if tamper.kind is Kind.LOST_DELTA:
        return report.is_audited(partition) and cut <= tamper.offset < new_cut
    return report.is_passed(partition) and tamper.offset < new_cut


def _demanded_of_the_run(world: "World", made: Recomputation, report: Report) -> Iterator[tuple[str, set[str], str]]:
    """The customer of the record that is missing from the recomputation, if that makes its row another."""
    at = made.without
    if at is None or not report.is_audited(at.partition):
        return
    customer = world.events[at].customer_id
    if (
        customer in world.tampering.customers | world.losses.customers
        or world.resets.get(customer, -1) >= report.new_cut[at.partition]
    ):
        return
    if _is_another_row(world, made, report):
        shows = _is_held(world, report, at)
        kinds = {str(Drift.LATE_BATCH)} if shows else {str(drift) for drift in Drift}
        yield customer, kinds, f"the lack of {at}"


def _is_another_row(world: "World", made: Recomputation, report: Report) -> bool:
    """Whether the lack of its record makes the customer's row another; a repeat may stand in for the record."""
    assert made.without is not None
    customer = world.events[made.without].customer_id
    row = rows_of(current_facts(world, report.new_cut)).get(customer)
    return (None if row is None else row.to_json()) != made.rows.get(customer)


def _is_held(world: "World", report: Report, at: Position) -> bool:
    """Whether the delta of the record is not gone: a fact that came later may have taken the fact's place."""
    return at.offset >= world.judge.gone_below(report.scope.generation, at.partition)


def _verified(world: "World", report: Report, text: str) -> str:
    """The kind of the reason. Raises Wrong if it is not so."""
    for name, pattern in REASONS.items():
        match = pattern.fullmatch(text)
        if match is not None:
            for partition in map(int, match[1].split(", ")):
                if not _holds(world, report, name, partition, match):
                    raise Wrong(f"unaudited, but it is not so: {text}; {report.since}")
            return name
    raise Wrong(f"unaudited for a reason that is not known: {text}")


def _holds(world: "World", report: Report, name: str, partition: int, match: re.Match[str]) -> bool:
    generation = report.scope.generation
    row = report.since.rows.get((generation, partition))
    if name == "the speed layer never ran":
        return row is None
    if name == "the speed layer is too late":
        least = 0 if row is None else row.next_offset
        return least <= int(match[2]) < report.new_cut[partition]
    if name == "deltas expired":
        return report.cut[partition] < int(match[2]) <= world.judge.gone_below(generation, partition)
    return row is None or world.now - row.beat_at > SURE_SECONDS * 1e6
