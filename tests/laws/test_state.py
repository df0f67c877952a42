"""R5: states form a commutative group, and travel as text unharmed."""

from hypothesis import given
from hypothesis import strategies as st

from common.algebra.state import State
from tests.support.strategies import states

ZERO = State({})


@given(states, states, states)
def test_addition_is_associative_and_commutative_with_zero_and_negation(a: State, b: State, c: State) -> None:
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a + ZERO == a
    assert a + -a == ZERO
    assert a - b == a + -b
    negated = -a
    assert -negated == a


@given(st.lists(states), st.data())
def test_a_sum_split_anywhere_in_any_order_is_the_same_sum(parts: list[State], data: st.DataObject) -> None:
    whole = State.sum(parts)
    shuffled = data.draw(st.permutations(parts))
    at = data.draw(st.integers(0, len(parts)))
    assert State.sum(shuffled[:at]) + State.sum(shuffled[at:]) == whole


@given(states)
def test_a_state_survives_its_text_and_equal_states_give_equal_text(state: State) -> None:
    assert State.from_json(state.to_json()) == state
    assert hash(State.from_json(state.to_json())) == hash(state)
    backwards = State(dict(reversed(list(state.days.items()))))
    assert backwards == state
    assert backwards.to_json() == state.to_json()


@given(states)
def test_a_day_of_zeros_is_absent_and_a_zero_state_is_false(state: State) -> None:
    assert all(any(values) for values in state.days.values())
    assert bool(state) == (state != ZERO)


@given(states, st.integers(-1, 6))
def test_the_days_until_a_day_and_the_rest_make_the_whole(state: State, day: int) -> None:
    early = state.until(day)
    assert all(d <= day for d in early.days)
    assert all(d > day for d in (state - early).days)


@given(states, states)
def test_until_is_a_homomorphism_so_as_of_may_be_taken_after_the_merge(a: State, b: State) -> None:
    assert (a + b).until(2) == a.until(2) + b.until(2)
