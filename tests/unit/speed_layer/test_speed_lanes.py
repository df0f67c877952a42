"""R12: `next_offset` never passes a record that was not applied, whatever is dropped, repeated or left in a buffer."""

from random import Random

import pytest

from speed_layer.apply.lanes import Lanes, OutOfSequence
from tests.support.speed_fakes import start


def test_progress_is_the_offset_after_the_last_applied_record() -> None:
    lane = Lanes().open(0, start(10))
    links = lane.send((offset, 1) for offset in (10, 11, 12))
    for link, offset in zip(links, (10, 11, 12), strict=True):
        lane.take(link, offset)
    assert lane.next_offset == 10
    lane.advance(12, 5)
    assert (lane.next_offset, lane.applied_at) == (12, 5)


def test_a_gap_that_the_fetch_itself_skipped_is_passed() -> None:
    """Transactions leave offsets without a committed record, between records and at the log's end."""
    lane = Lanes().open(0, start(0))
    (link,) = lane.send([(3, 1)])
    lane.take(link, 3)
    lane.cleared(9)
    assert lane.next_offset == 0, "the record at 3 is taken, not applied"
    lane.advance(4, 0)
    assert lane.next_offset == 9
    (link,) = lane.send([(12, 1)])
    assert lane.next_offset == 4, "a record is under way"
    lane.take(link, 12)
    lane.advance(13, 0)
    assert lane.next_offset == 13


def test_a_record_lost_on_the_way_is_seen() -> None:
    lane = Lanes().open(0, start(0))
    first, _, third = lane.send((offset, 1) for offset in range(3))
    lane.take(first, 0)
    with pytest.raises(OutOfSequence):
        lane.take(third, 2)


def test_a_record_delivered_twice_is_seen() -> None:
    lane = Lanes().open(0, start(0))
    (link,) = lane.send([(0, 1)])
    lane.take(link, 0)
    with pytest.raises(OutOfSequence):
        lane.take(link, 0)


def test_what_an_older_assignment_left_does_not_count() -> None:
    lanes = Lanes()
    old = lanes.open(0, start(0))
    new = lanes.open(0, start(5))
    assert not lanes.is_open(old)
    assert lanes.is_open(new)
    lanes.drop(old)
    assert lanes.is_open(new)
    lanes.close()
    assert not lanes.is_open(new)


def test_the_backlog_is_what_was_fetched_and_not_taken() -> None:
    lanes = Lanes()
    lane = lanes.open(0, start(0))
    links = lane.send((offset, 100) for offset in range(3))
    lane.take(links[0], 0)
    assert lanes.backlog == 200
    lanes.open(0, start(0))
    assert lanes.backlog == 0


@pytest.mark.parametrize("seed", range(20))
def test_with_records_dropped_at_random_progress_never_passes_one(seed: int) -> None:
    random, lane = Random(seed), Lanes().open(0, start(0))
    offsets = sorted(random.sample(range(100), 40))
    applied: set[int] = set()
    for offset in offsets:
        (link,) = lane.send([(offset, 1)])
        lane.cleared(offset + 1)
        if random.random() < 0.05:
            continue
        try:
            lane.take(link, offset)
        except OutOfSequence:
            break
        if random.random() < 0.7:
            applied |= {sent for sent in offsets if sent <= offset}
            lane.advance(offset + 1, 0)
        assert {sent for sent in offsets if sent < lane.next_offset} <= applied
