"""R17: no sequence of claims, publications and rollbacks overwrites what a reader or a rollback may need."""

from hypothesis import given
from hypothesis import strategies as st

from common.algebra.cut import Cut
from common.algebra.pointer import SLOTS, Claim, Plan, Pointer, begin, claim, decode, encode, publish, switch
from common.errors import BatchError, ClaimLost


def plan(snapshot: int) -> Plan:
    return Plan(snapshot, Cut.of({0: snapshot}), "logic", "validation")


steps = st.lists(
    st.tuples(st.sampled_from(("begin", "claim", "claim as begun", "publish", "switch")), st.integers(0, 9)),
    max_size=30,
)


@given(steps)
def test_no_sequence_of_transitions_breaks_the_pointer(steps: list[tuple[str, int]]) -> None:
    pointer, claims = Pointer(), list[Claim]()
    for step, number in steps:
        before = pointer
        try:
            if step == "claim":
                pointer, mine = claim(pointer, plan(number))
                claims.append(mine)
                assert mine.slot not in {batch.slot for batch in before.complete if batch.batch_id == before.current}
            elif step == "begin":
                pointer = begin(pointer)
            elif step == "claim as begun":
                pointer, mine = claim(pointer, plan(number), max(pointer.last_batch_id - number % 2, 1))
                assert mine.batch_id >= max((other.batch_id for other in claims), default=0), "an older id never claims"
                assert all(other.plan == mine.plan for other in claims if other.batch_id == mine.batch_id)
                claims.append(mine)
                assert mine.slot not in {batch.slot for batch in before.complete if batch.batch_id == before.current}
            elif step == "publish" and claims:
                pointer = publish(pointer, claims[number % len(claims)], published_at=0, rows=0, checksum="")
            elif step == "switch":
                pointer = switch(pointer, number)
        except (ClaimLost, BatchError):
            assert pointer == before
        check(before, pointer)


def check(before: Pointer, after: Pointer) -> None:
    assert after.last_batch_id >= before.last_batch_id
    used = [batch.slot for batch in after.complete] + [held.slot for held in after.claims]
    assert len(used) == len(set(used)), "a slot holds one batch, or one claim"
    assert set(used) <= set(SLOTS)
    assert (after.current is None) == (after.published is None), "what is current is complete"
    assert before.current is None or after.current is not None
    if len(before.complete) > 1:
        assert len(after.complete) > 1, "there is always one to roll back to"
    assert decode(encode(after)) == after


def test_r18_the_pointer_says_that_there_are_marks_until_its_generation_changes() -> None:
    """A batch without marks and a rollback leave it; marks that were left in another generation do not count."""
    first, mine = claim(Pointer(generation=2), plan(1))
    other = publish(first, mine, published_at=0, rows=0, checksum="", marked_in=1)
    marked = publish(first, mine, published_at=0, rows=0, checksum="", marked_in=2)
    later, second = claim(marked, plan(2))
    after = publish(later, second, published_at=0, rows=0, checksum="")

    assert (other.marked, marked.marked, after.marked, switch(after, 1).marked) == (False, True, True, True)
