"""R21, R24: the merge is the fold, wherever the cut lies; it mutates nothing and asks for no order."""

from collections.abc import Sequence
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from common.algebra.facts import Delta, Fact, Image, decide
from common.algebra.measures import contribution
from common.algebra.merge import Merged, merge
from common.algebra.payloads import Order
from common.algebra.state import State
from common.algebra.view_row import ViewRow
from tests.support.deltas import changed
from tests.support.serving_fakes import delta, order

TEN, TWENTY = order(1000), order(2000)


def row(payload: Order) -> ViewRow:
    """A batch row with one order."""
    return ViewRow(contribution(payload))


def test_the_batch_state_and_the_deltas_since_its_cut_are_summed() -> None:
    merged = merge(row(TEN), [(7, delta(TWENTY, TEN)), (9, delta(TEN, entity_id="o2"))], 5)
    assert merged == Merged(contribution(TWENTY) + contribution(TEN), None, known=True, deltas=2, next_offset=10)


def test_deltas_below_the_cut_are_ignored_and_the_one_at_the_cut_is_not() -> None:
    """R21: the cut is half-open."""
    merged = merge(row(TEN), [(4, delta(TWENTY)), (5, delta(TWENTY))], 5)
    assert (merged.state, merged.deltas) == (contribution(TEN) + contribution(TWENTY), 1)


def test_a_reset_at_or_above_the_cut_forgets_the_batch_and_everything_below_it() -> None:
    """R24."""
    for cut in (0, 5, 6):
        merged = merge(row(TEN), [(5, delta(TEN)), (6, delta(None)), (8, delta(TWENTY))], cut)
        assert merged == Merged(contribution(TWENTY), None, known=True, deltas=1, next_offset=9)


def test_a_reset_below_the_cut_is_the_batchs_business() -> None:
    """R24: the batch absorbed it, so its state counts."""
    merged = merge(row(TEN), [(6, delta(None))], 7)
    assert merged == Merged(contribution(TEN), None, known=True, deltas=0, next_offset=0)


def test_only_the_last_of_several_resets_counts() -> None:
    merged = merge(None, [(1, delta(None)), (2, delta(TEN)), (3, delta(None)), (4, delta(TWENTY))], 0)
    assert (merged.state, merged.deltas) == (contribution(TWENTY), 1)


def test_a_customer_is_known_by_a_batch_row_or_a_delta_even_when_they_sum_to_zero() -> None:
    cancelled = order(1000, status="cancelled")
    assert merge(ViewRow(State({})), [], 0).known
    assert merge(None, [(0, delta(cancelled))], 0).known
    assert merge(row(TEN), [(3, delta(cancelled, TEN))], 0) == Merged(
        State({}), None, known=True, deltas=1, next_offset=4
    )


def test_a_customer_without_either_or_with_nothing_since_a_reset_is_unknown() -> None:
    assert not merge(None, [], 0).known
    assert not merge(None, [(3, delta(TEN))], 4).known
    erased = merge(row(TEN), [(3, delta(TEN)), (4, delta(None))], 0)
    assert erased == Merged(State({}), None, known=False, deltas=0, next_offset=5)


PAYLOADS = (TEN, TWENTY, order(1000, day=19_901), order(3000, status="cancelled"))
HISTORIES = st.lists(
    st.none() | st.tuples(st.sampled_from("xyz"), st.integers(0, 3), st.sampled_from(PAYLOADS)), max_size=14
)
"""One customer's records in offset order: a reset, or a version of an entity; the index is the offset."""
History = Sequence[tuple[str, int, object] | None]


def fold(history: History, below: int) -> tuple[dict[str, Fact], list[tuple[int, Delta]]]:
    """The current facts below an offset and every delta, by the rule for one fact (R4, R9)."""
    facts: dict[str, Fact] = {}
    deltas: list[tuple[int, Delta]] = []
    for offset, record in enumerate(history[:below]):
        if record is None:
            facts = {}
            deltas.append((offset, delta(None)))
            continue
        entity, version, payload = record
        _, fact = decide(facts.get(entity), Image(version, payload), offset)  # type: ignore[arg-type] # PAYLOADS' own
        if fact is not None:
            facts[entity] = fact
            deltas.append((offset, changed(entity, fact.before, fact.after, 0)))
    return facts, deltas


@given(HISTORIES, st.randoms(use_true_random=False))
def test_wherever_the_cut_lies_and_in_any_order_the_merge_is_the_fold(history: History, random: Random) -> None:
    """R9, R21, R23, R24: state(below n) = state(below the cut) + the deltas in [cut, n)."""
    facts, deltas = fold(history, len(history))
    random.shuffle(deltas)
    expected = State.sum(contribution(fact.after.payload) for fact in facts.values())
    for cut in range(len(history) + 2):
        absorbed, _ = fold(history, cut)
        batch = ViewRow(State.sum(contribution(fact.after.payload) for fact in absorbed.values())) if absorbed else None
        merged = merge(batch, deltas, cut)
        assert (merged.state, merged.known) == (expected, bool(facts))


@given(HISTORIES)
def test_the_merge_mutates_nothing(history: History) -> None:
    """R21."""
    _, deltas = fold(history, len(history))
    batch, before = row(TEN), list(deltas)
    first = merge(batch, deltas, 0)
    assert (batch, deltas) == (row(TEN), before)
    assert merge(batch, deltas, 0) == first
