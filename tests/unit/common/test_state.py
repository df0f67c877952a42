"""R5: states as values; their laws are in `tests/laws`."""

import msgspec
import pytest

from common.algebra.state import State


def test_a_state_is_legible_text_with_its_days_ascending_and_no_zero_day() -> None:
    assert State({20_412: (2, 1999), 7: (0, -1), 8: (0, 0)}).to_json() == '{"7":[0,-1],"20412":[2,1999]}'
    assert State({}).to_json() == "{}"


def test_what_cancels_out_is_absent() -> None:
    cancelled = State({1: (1, 5)}) + State({1: (-1, -5)})
    assert not cancelled
    assert cancelled == State({})
    assert cancelled.days == {}


def test_adding_changes_neither_side() -> None:
    a, b = State({1: (1,)}), State({1: (2,), 2: (3,)})
    assert a + b == State({1: (3,), 2: (3,)})
    assert (a, b) == (State({1: (1,)}), State({1: (2,), 2: (3,)}))


def test_a_state_equals_only_states() -> None:
    assert State({}) != {}
    assert State({1: (1,)}) != State({2: (1,)})
    assert repr(State({1: (1,)})) == 'State({"1":[1]})'


@pytest.mark.parametrize("text", ["", "[]", '{"x":[1]}', '{"1":[1.5]}', '{"1":["1"]}', '{"1":[null]}'])
def test_text_that_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        State.from_json(text)
