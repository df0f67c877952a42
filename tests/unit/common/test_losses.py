"""R15: ranges that were accepted as lost, and what of a gap they do not cover."""

import pytest

from common.algebra.losses import RULE, Range, accept, declare_sent, ranges_of, uncovered
from common.algebra.pointer import Pointer
from common.errors import UsageError

NOW = 1_800_000_000_000_000


def test_a_range_is_spelled_as_it_is_read() -> None:
    assert str(Range.parse("3:100:200")) == "3:100:200"
    for wrong in ("3:100", "3:200:100", "3:7:7", "a:1:2", "3:-1:2", "3:1:2 "):
        with pytest.raises(ValueError, match=RULE.split(",")[0]):
            Range.parse(wrong)


@pytest.mark.parametrize(
    ("accepted", "missing"),
    [
        ([], ["0:10:20"]),
        (["0:10:20"], []),
        (["0:5:30"], []),
        (["0:10:15"], ["0:15:20"]),
        (["0:15:20"], ["0:10:15"]),
        (["0:12:14", "0:16:18"], ["0:10:12", "0:14:16", "0:18:20"]),
        (["0:14:25", "0:1:14"], []),
        (["0:1:5", "0:25:30"], ["0:10:20"]),
        (["1:10:20"], ["0:10:20"]),
    ],
)
def test_r15_what_is_not_accepted_of_a_gap_is_named(accepted: list[str], missing: list[str]) -> None:
    found = uncovered(Range(0, 10, 20), [Range.parse(each) for each in accepted])

    assert [str(part) for part in found] == missing


def test_r15_accepting_the_same_range_twice_changes_nothing() -> None:
    once = accept(Pointer(), [Range(0, 5, 9), Range(0, 5, 9)], NOW)

    assert ranges_of(once) == [Range(0, 5, 9)]
    assert accept(once, [Range(0, 5, 9)], NOW + 1) is once


def test_r15_a_range_is_declared_as_it_was_accepted_and_stays_known() -> None:
    accepted = accept(Pointer(), [Range(0, 5, 9), Range(1, 2, 3)], NOW)

    declared = declare_sent(accepted, Range(0, 5, 9))

    assert [loss.sent_again for loss in declared.losses] == [True, False]
    assert ranges_of(declared) == ranges_of(accepted)
    with pytest.raises(UsageError, match=r"there are: 0:5:9, 1:2:3"):
        declare_sent(accepted, Range(0, 5, 8))
