"""R18 over whole logs: an audit of sound layers finds nothing, lost deltas are found, and each mutant is caught."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_layer.audit import compare, stored
from batch_layer.audit.classes import Drift
from batch_layer.audit.compare import Verdict
from common.algebra import facts
from common.algebra.merge import Merged, merge
from common.algebra.state import State
from common.algebra.view_row import ViewRow
from common.log.partition import partition_of
from tests.support.audited import Scene
from tests.support.builders import Log, erasure, order, profile, retraction, ticket
from tests.support.model import SpeedTables, batch_rows
from tests.support.strategies import PARTITIONS, logs


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """A log, a current cut, a new cut at or above it, and a speed layer that has applied more, or all of the log.

    Where the current cut is the log's beginning, there may have been no batch. The current batch may be an older one
    that an operator rolled back to: nothing in the audit knows of any batch between. Records below the current cut may
    have lost their deltas to time.
    """
    log = draw(logs)
    new_cut = {partition: draw(st.integers(0, offset)) for partition, offset in log.next_offsets.items()}
    cut = {partition: draw(st.integers(0, offset)) for partition, offset in new_cut.items()}
    scene = Scene.of(log.records, PARTITIONS, cut, new_cut)
    applied = {partition: draw(st.integers(new_cut[partition], end)) for partition, end in log.next_offsets.items()}
    scene.tables = SpeedTables(PARTITIONS).apply(r for r in log.records if r.offset < applied[r.partition])
    if draw(st.booleans()):
        expire(scene)
    return scene


def expire(scene: Scene) -> None:
    """Deltas below the current cut are gone, resets but for their markers' rows among them."""
    for customer, cells in scene.tables.deltas.items():
        cut = scene.cut[partition_of(customer, PARTITIONS)]
        kept = {at: text for at, text in cells.items() if at >= cut or facts.decode_delta(text).is_reset}
        scene.tables.deltas[customer] = kept


@given(scenes())
def test_r18_there_is_no_false_drift(scene: Scene) -> None:
    """With resets, retractions, profiles, expired deltas, records that arrive meanwhile, and a rollback before."""
    assert scene.drifted() == set()


@given(scenes(), st.data())
def test_r18_a_delta_that_is_lost_is_seen_unless_its_value_is_zero(scene: Scene, data: st.DataObject) -> None:
    """A delta between the cuts that changes state, profile or being known, of a customer without a later reset."""
    lost = data.draw(st.sampled_from(sorted(between(scene)) or [("", 0)]))
    customer, offset = lost
    if not customer:
        return
    del scene.tables.deltas[customer][offset]

    if scene.audited(customer).verdict is Verdict.DRIFT:
        assert scene.classes_of(customer) == {Drift.MISSING_DELTA}
    else:
        assert served(scene, customer, deltas_of(scene, customer)) == scene.new.get(customer)


def between(scene: Scene) -> Iterable[tuple[str, int]]:
    for customer, cells in scene.tables.deltas.items():
        start, end = bounds(scene, customer)
        yield from ((customer, offset) for offset in cells if start <= offset < end)


def bounds(scene: Scene, customer: str) -> tuple[int, int]:
    partition = partition_of(customer, PARTITIONS)
    return scene.cut[partition], scene.new_cut[partition]


def deltas_of(scene: Scene, customer: str) -> list[tuple[int, facts.Delta]]:
    return compare.decoded(scene.gathered(customer).deltas, *bounds(scene, customer))


def served(scene: Scene, customer: str, deltas: Sequence[tuple[int, facts.Delta]]) -> ViewRow | None:
    merged = merge(scene.base.get(customer), deltas, bounds(scene, customer)[0])
    return ViewRow(merged.state, merged.image) if merged.known else None


# The audit's own mutants. Each forgets one clause of R18, and the example beside it tells.


def log_of(*messages: Any) -> Log:
    log = Log(PARTITIONS)
    log.append(*messages)
    return log


def scene_of(log: Log, cut: int, new_cut: int | None = None) -> Scene:
    ends = log.next_offsets
    new = ends if new_cut is None else {partition: min(new_cut, end) for partition, end in ends.items()}
    return Scene.of(log.records, PARTITIONS, {p: min(cut, end) for p, end in new.items()}, new)


def erased_above_the_new_cut() -> Scene:
    """ada is erased above the new cut; nothing is wrong."""
    return scene_of(log_of(order("ada", "o1"), order("ada", "o2"), erasure("ada")), 1, 2)


def two_wrongs() -> Scene:
    """An order of zoë counts for ada instead: every sum of all customers is right."""
    log = log_of(*(order("ada", f"o{n}") for n in range(3)), *(order("zoë", f"p{n}") for n in range(3)))
    scene = scene_of(log, 2)
    ada, zoe = scene.base["ada"], scene.base["zoë"]
    moved = ada.state
    scene.base["ada"] = ViewRow(ada.state + moved)
    scene.base["zoë"] = ViewRow(zoe.state - moved)
    return scene


def a_delta_below_the_new_cut_is_lost() -> Scene:
    scene = scene_of(log_of(order("ada", "o1"), order("ada", "o2"), order("ada", "o3")), 1)
    del scene.tables.deltas["ada"][1]
    return scene


def deltas_below_the_current_cut() -> Scene:
    """Nothing is wrong, and the deltas below the current cut are still there."""
    return scene_of(log_of(order("ada", "o1"), order("ada", "o2"), order("ada", "o3")), 2)


def records_arrive_meanwhile() -> Scene:
    """Nothing is wrong, and the speed layer is beyond the new cut."""
    return scene_of(log_of(order("ada", "o1"), order("ada", "o2"), order("ada", "o3")), 1, 2)


def a_profile_is_lost() -> Scene:
    scene = scene_of(log_of(profile("ada", "2024-06-01"), profile("ada", "2024-06-02", country="FR")), 1)
    del scene.tables.deltas["ada"][1]
    return scene


def a_row_of_a_customer_without_a_state_is_lost() -> Scene:
    """A cancelled order makes its customer known, with a state of zero."""
    scene = scene_of(log_of(order("ada", "o1", status="cancelled"), order("ada", "o2", status="cancelled")), 1)
    del scene.new["ada"]
    return scene


def a_customer_of_the_speed_layer_alone() -> Scene:
    """The archive lost the only record of ada."""
    log = log_of(order("ada", "o1"))
    scene = scene_of(log, 0)
    scene.new = {}
    scene.records = []
    return scene


def a_fact_is_lost() -> Scene:
    scene = scene_of(log_of(order("ada", "o1"), order("ada", "o2")), 1)
    del scene.tables.facts["ada"]["order", "o1"]
    return scene


def a_fact_changed_since() -> Scene:
    """Nothing is wrong: the order's fact below the new cut is covered by a later one."""
    older, newer = order("ada", "o1", updated_at="2024-06-01"), order("ada", "o1", updated_at="2024-06-02")
    return scene_of(log_of(older, newer), 0, 1)


def a_reset_between_the_cuts() -> Scene:
    """Nothing is wrong: the batch absorbed ada's first order, which was erased since."""
    return scene_of(log_of(order("ada", "o1"), erasure("ada"), order("ada", "o2"), retraction(ticket("ada"))), 1)


RIGHT: Final = (
    erased_above_the_new_cut,
    deltas_below_the_current_cut,
    records_arrive_meanwhile,
    a_fact_changed_since,
    a_reset_between_the_cuts,
)
WRONG: Final = (
    two_wrongs,
    a_delta_below_the_new_cut_is_lost,
    a_profile_is_lost,
    a_row_of_a_customer_without_a_state_is_lost,
    a_customer_of_the_speed_layer_alone,
    a_fact_is_lost,
)


def is_told_apart() -> bool:
    """Whether the audit finds nothing in any of the RIGHT scenes, and something in every one of the WRONG ones."""
    return not any(scene().drifted() for scene in RIGHT) and all(scene().drifted() for scene in WRONG)


def skip_no_reset(cells: Iterable[compare.Cell], new_cut: int) -> bool:
    """The reset rule is forgotten."""
    return False


def sum_all(scene: Scene) -> set[str]:
    """The sums of all customers are compared, and nothing else."""
    rows = [served(scene, customer, deltas_of(scene, customer)) for customer in scene.customers()]
    old = State.sum(row.state for row in rows if row is not None)
    new = State.sum(row.state for row in scene.new.values())
    return set() if old == new else scene.customers()


def cut_of_after(gathered: compare.Gathered, cut: int, new_cut: int) -> Verdict:
    """The current cut is taken from the pointer as it is after the publication."""
    return COMPARED(gathered, new_cut, new_cut)


def from_the_beginning(gathered: compare.Gathered, cut: int, new_cut: int) -> Verdict:
    """Deltas below the current cut are added as well."""
    return COMPARED(gathered, 0, new_cut)


def up_to_the_end(gathered: compare.Gathered, cut: int, new_cut: int) -> Verdict:
    """Deltas above the new cut are added as well, and so are resets there."""
    return COMPARED(gathered, cut, 2**63 - 2)


def without_profiles(batch: ViewRow | None, deltas: Sequence[tuple[int, facts.Delta]], cut: int) -> Merged:
    """Profiles are not compared: the merged one is whatever the new row has."""
    merged = merge(batch, deltas, cut)
    return Merged(merged.state, AnyImage(), merged.known, merged.deltas, merged.next_offset)  # type: ignore[arg-type]


class AnyImage:
    """Equals every image."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


def zero_is_unknown(batch: ViewRow | None, deltas: Sequence[tuple[int, facts.Delta]], cut: int) -> Merged:
    """A customer whose state is zero counts as unknown, so that the lack of its row is no difference."""
    merged = merge(batch, deltas, cut)
    known = merged.known and (bool(merged.state) or merged.image is not None)
    return Merged(merged.state, merged.image, known, merged.deltas, merged.next_offset)


def rows_of_slots(scene: Scene) -> set[str]:
    """Only customers with a row in a slot are looked at."""
    return {*scene.base, *scene.new}


def no_facts(found: Any, expected: Mapping[Any, Any], cut: int) -> list[Any]:
    """Facts are not compared."""
    return []


def every_fact(found: Any, expected: Mapping[Any, Any], cut: int) -> list[Any]:
    """Facts above the new cut are compared with what the log says below it."""
    return DIFFERENCES(found, expected, 2**63 - 1)


COMPARED = compare.compared
DIFFERENCES = stored.differences
Patch = tuple[Any, str, Callable[..., Any]]
MUTANTS: Final[Mapping[str, Patch]] = {
    "skip the reset rule": (compare, "is_reset_above", skip_no_reset),
    "compare only the sums of all customers": (Scene, "drifted", sum_all),
    "read the cut from the pointer of after": (compare, "compared", cut_of_after),
    "add the deltas below the current cut": (compare, "compared", from_the_beginning),
    "add the deltas above the new cut": (compare, "compared", up_to_the_end),
    "ignore profiles": (compare, "merge", without_profiles),
    "take a zero state for an unknown customer": (compare, "merge", zero_is_unknown),
    "look at customers in slots only": (Scene, "customers", rows_of_slots),
    "do not compare facts": (stored, "differences", no_facts),
    "compare facts above the new cut": (stored, "differences", every_fact),
}


def test_r18_the_examples_tell_right_from_wrong() -> None:
    assert [scene.__name__ for scene in RIGHT if scene().drifted()] == []
    assert [scene.__name__ for scene in WRONG if not scene().drifted()] == []


@pytest.mark.parametrize("mutant", MUTANTS)
def test_r18_a_mutant_of_the_audit_is_caught(mutant: str) -> None:
    target, name, replacement = MUTANTS[mutant]
    with patch.object(target, name, replacement):
        assert not is_told_apart()


@pytest.mark.parametrize(
    ("scene", "expected"),
    [
        (a_delta_below_the_new_cut_is_lost, {Drift.MISSING_DELTA}),
        (a_profile_is_lost, {Drift.MISSING_DELTA}),
        (a_customer_of_the_speed_layer_alone, {Drift.LATE_BATCH}),
        (a_fact_is_lost, {Drift.WRONG_FACT}),
        (two_wrongs, {Drift.LOGIC_CHANGE}),
        (a_row_of_a_customer_without_a_state_is_lost, {Drift.UNKNOWN}),
    ],
)
def test_r18_each_fault_has_its_class(scene: Callable[[], Scene], expected: set[Drift]) -> None:
    found = scene()

    assert found.classes_of("ada") == expected


def test_r18_a_row_that_the_current_slot_lost_since_has_a_class_of_its_own() -> None:
    scene = scene_of(log_of(order("ada", "o1"), order("ada", "o2")), 1)
    del scene.base["ada"]

    assert scene.drifted() == {"ada"}
    assert scene.classes_of("ada") == {Drift.LOST_SLOT_ROW}


def test_r18_a_cell_that_cannot_be_read_is_drift_of_an_unknown_class() -> None:
    scene = scene_of(log_of(order("ada", "o1"), order("ada", "o2")), 1)
    scene.tables.deltas["ada"][1] = '{"entity_id":"o2"'

    assert scene.drifted() == {"ada"}
    assert scene.classes_of("ada") == {Drift.UNKNOWN}


def test_r18_what_the_archive_lost_is_late_also_where_a_later_record_depends_on_it() -> None:
    """The second record's before image is the lost one's; that alone is no wrong fact."""
    log = log_of(order("ada", "o1"), order("ada", "o1", total_amount="7.00", updated_at="2024-06-09"))
    scene = scene_of(log, 0)
    scene.records = [record for record in scene.records if record.offset != 0]
    scene.new = batch_rows(scene.records, scene.new_cut, PARTITIONS)

    assert scene.classes_of("ada") == {Drift.LATE_BATCH}
