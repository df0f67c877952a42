"""`--until` is resolved to a cut once: at most the last stable offsets, and not below the current batch's cut."""

import pytest

from batch_layer import until
from common.algebra.cut import Cut
from common.errors import UsageError
from common.log.position import Position
from common.servers import kafka
from common.settings import Settings
from infra.commands.batch_run import parse_until

ENDS = Cut({0: 10, 1: 20, 2: 0})
CURRENT = Cut({0: 4, 1: 5})


def resolved(*positions: tuple[int, int]) -> Cut:
    return until.resolved(Settings(), tuple(Position(*each) for each in positions), ENDS, CURRENT)


def test_a_partition_that_is_not_named_ends_at_its_end() -> None:
    assert resolved((1, 7)) == Cut({0: 10, 1: 7, 2: 0})
    assert resolved((0, 4), (1, 20)) == Cut({0: 4, 1: 20, 2: 0})


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        ([(1, 21)], "at most the last stable offset, 1:20"),
        ([(3, 0)], "a partition of the log, 0 to 2"),
        ([(0, 5), (0, 6)], "one offset for a partition"),
        ([(0, 3)], "not below the current batch's cut, 0:4"),
    ],
)
def test_what_cannot_be_is_a_usage_error_that_names_the_rule(positions: list[tuple[int, int]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resolved(*positions)


def test_a_moment_is_the_first_offset_appended_then_and_never_beyond_what_is_committed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kafka, "offsets_at", lambda *_: {0: 12, 1: 6, 2: 0})

    assert until.resolved(Settings(), 1_000, ENDS, CURRENT) == Cut({0: 10, 1: 6, 2: 0})


def test_a_moment_before_the_current_cut_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "offsets_at", lambda *_: {0: 2, 1: 6, 2: 0})

    with pytest.raises(UsageError, match="--until: '0:2': not below"):
        until.resolved(Settings(), 1_000, ENDS, CURRENT)


def test_the_option_reads_offsets_as_they_are_printed_and_times_with_a_zone() -> None:
    assert parse_until("0:17,1:9") == (Position(0, 17), Position(1, 9))
    assert parse_until("0:17 1:9") == (Position(0, 17), Position(1, 9))
    assert parse_until("1970-01-01T01:00:01+01:00") == 1_000_000
    assert parse_until("1970-01-02") == 86_400_000_000


@pytest.mark.parametrize("text", ["", "soon", "0:1:2", "2026-03-01T00:00:00", "2026-02-30", "0:-1"])
def test_the_option_refuses_anything_else(text: str) -> None:
    with pytest.raises(UsageError, match=r"--until: .*PARTITION:OFFSET.* or a time with its zone"):
        parse_until(text)
