"""A position: a partition and an offset, with one spelling."""

import pytest

from common.log.position import Position, offsets_of, spelled


def test_a_position_is_spelled_as_its_partition_a_colon_and_its_offset() -> None:
    assert str(Position(3, 120)) == f"{Position(3, 120)}" == "3:120"


@pytest.mark.parametrize("position", [Position(0, 0), Position(3, 120), Position(999_999_999, 10**18 - 1)])
def test_what_a_position_spells_is_read_as_that_position(position: Position) -> None:
    assert Position.parse(str(position)) == position


def test_leading_zeros_name_the_same_position() -> None:
    assert Position.parse("02:0007") == Position(2, 7)


@pytest.mark.parametrize(
    "text",
    [
        *("", "7", ":7", "7:", "1:2:3", "-1:2", "1:-2", "a:b", " 1:2", "1:2\n", "1.0:2", "1 :2"),
        *("٢:7", "2:٢", "9999999999:7", "1:9999999999999999999"),
    ],
)
def test_what_is_no_position_is_refused_with_the_rule(text: str) -> None:
    with pytest.raises(ValueError, match=r"^PARTITION:OFFSET, two whole numbers, such as 0:1200$"):
        Position.parse(text)


def test_positions_are_ordered_by_partition_and_then_by_offset_as_numbers() -> None:
    positions = [Position(10, 1), Position(9, 10), Position(9, 9), Position(0, 100)]

    assert list(map(str, sorted(positions))) == ["0:100", "9:9", "9:10", "10:1"]


@pytest.mark.parametrize(("offsets", "text"), [({}, ""), ({0: 17, 1: 9}, "0:17,1:9"), ({3: 0}, "3:0")])
def test_offsets_by_partition_are_one_word_and_read_back(offsets: dict[int, int], text: str) -> None:
    assert spelled(offsets) == text
    assert offsets_of(text) == offsets
