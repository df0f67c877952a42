"""R12, R13: how far a rebuild builds, which deltas it keeps, when it switches, and what its progress rows claim."""

import pytest

from batch_layer.rebuild.plan import Sight, behind, deltas_from, is_near, progress_rows, resumes, retired, unpublished
from common.algebra.cut import Cut
from common.algebra.losses import Range
from common.algebra.pointer import Plan, Pointer, claim, publish, switch
from common.progress import Progress

NOW = 1_800_000_000_000_000


def row(next_offset: int, caught_up_at: int = NOW - 5) -> Progress:
    return Progress(0, 0, next_offset, next_offset, "v1", NOW, caught_up_at)


def sight(archived: int, first: int = 0, served: Progress | None = None, skip_to: int = 0) -> Sight:
    return Sight(
        archived=Cut.of({0: archived}),
        archived_at=NOW - 9,
        firsts={0: first},
        served={} if served is None else {0: served},
        skip_to=Cut.of({0: skip_to}),
    )


def published(pointer: Pointer, cut: int) -> Pointer:
    claimed, mine = claim(pointer, Plan(cut, Cut.of({0: cut, 1: cut * 10}), "logic", "validation"))
    return publish(claimed, mine, published_at=cut, rows=1, checksum="c")


@pytest.mark.parametrize(
    ("seen", "resume"),
    [
        (sight(archived=10, served=row(10)), 10),
        (sight(archived=10, served=row(14)), 10),  # the master does not hold the rest
        (sight(archived=10, served=row(6)), 6),  # the copies of 6 to 9 are still to be published, by a worker
        (sight(archived=10), 0),  # no worker ever ran
        (sight(archived=10, first=8, served=row(6)), 8),  # a worker could not start at 6
        (sight(archived=10, first=10), 10),
        (sight(archived=10, skip_to=8), 8),  # the first workers begin at a batch's cut
        (sight(archived=10, served=row(6), skip_to=8), 8),  # they skip what they have not applied
        (sight(archived=10, served=row(9), skip_to=8), 9),  # nothing is left to skip
        (sight(archived=10, first=9, skip_to=8), 9),
    ],
)
def test_r13_workers_resume_where_the_master_and_the_published_copies_both_reach(seen: Sight, resume: int) -> None:
    assert resumes(seen) == Cut.of({0: resume})


def test_records_that_left_kafka_before_a_worker_published_them_are_named() -> None:
    assert unpublished(sight(archived=10, first=8, served=row(6)), []) == [Range(0, 6, 8)]
    assert unpublished(sight(archived=10, first=8, served=row(6)), [Range(0, 3, 7)]) == [Range(0, 7, 8)]
    assert unpublished(sight(archived=10, first=6, served=row(6)), []) == []
    assert unpublished(sight(archived=10, served=row(14)), []) == []


def test_records_that_workers_skip_are_named() -> None:
    assert unpublished(sight(archived=10, served=row(6), skip_to=8), []) == [Range(0, 6, 8)]
    assert unpublished(sight(archived=10, skip_to=8), [Range(0, 3, 5)]) == [Range(0, 0, 3), Range(0, 5, 8)]
    assert unpublished(sight(archived=10, served=row(8), skip_to=8), []) == []


def test_r13_deltas_are_kept_for_every_batch_that_may_be_current() -> None:
    """A rollback goes to any complete batch, and back; the least cut of them is `from_offset`."""
    three = published(published(published(Pointer(), 5), 7), 9)

    assert deltas_from(Pointer(), range(2)) == Cut.of({0: 0, 1: 0})
    assert deltas_from(three, range(2)) == deltas_from(switch(three, 1), range(2)) == Cut.of({0: 5, 1: 50})
    assert deltas_from(published(three, 11), range(2)) == Cut.of({0: 7, 1: 70}), "the slot of batch 1 was reused"


def test_a_rebuild_switches_when_little_is_missing_or_when_a_round_gains_nothing() -> None:
    assert behind(sight(archived=10, served=row(14)), Cut.of({0: 9})) == 5
    assert behind(sight(archived=10, served=row(6)), Cut.of({0: 8})) == 0
    assert [
        is_near(missing, before) for missing, before in ((1000, None), (1001, None), (1001, 1002), (1001, 1001))
    ] == [
        True,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("seen", "built", "caught_up_at"),
    [
        (sight(archived=10, served=row(14)), 10, NOW - 9),  # the log's end at that moment
        (sight(archived=10, served=row(6)), 6, NOW - 5),  # as the old generation was
        (sight(archived=10, served=row(8)), 7, 0),
        (sight(archived=10, first=8, served=row(6)), 8, NOW - 5),
        (sight(archived=10), 0, 0),
        (sight(archived=10, skip_to=10), 10, NOW - 9),
        (sight(archived=10, served=row(6), skip_to=8), 8, NOW - 5),
    ],
)
def test_r12_the_rows_claim_no_more_than_is_true(seen: Sight, built: int, caught_up_at: int) -> None:
    (found,) = progress_rows(seen, Cut.of({0: built}), Cut.of({0: 3}), version="v2", now=NOW)

    assert found == Progress(0, 3, built, 10, "v2", NOW, caught_up_at)


def test_r13_the_generation_that_was_left_is_kept_until_the_next_switch() -> None:
    assert retired({1, 2}, served=2, left=1) == []
    assert retired({1, 2, 3}, served=3, left=2) == [], "the first one's tables are the schema's own"
    assert retired({1, 2, 3, 4}, served=4, left=3) == [2]
    assert retired({1, 2, 3, 4, 5}, served=5, left=2) == [3, 4], "what killed rebuilds left goes, too"
