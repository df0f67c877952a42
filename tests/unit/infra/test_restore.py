"""R25: which records a new log lacks, and which erasures are applied again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_layer.master.raw import Raw
from batch_layer.master.table import Head
from common.algebra.cut import Cut
from common.algebra.losses import Range
from common.errors import LogError
from common.log.position import Position
from infra.operate.erasure.ledger import Entry
from infra.operate.restore.erasures import not_restored
from infra.operate.restore.missing import check_same, missing

START = datetime(2026, 11, 1, tzinfo=UTC)
HEAD = Head(
    snapshot=1,
    archive_id=1,
    offsets=Cut.of({0: 10, 1: 20}),
    topic_id="old",
    validation_version="1",
    losses=(Range(1, 5, 8),),
)
TAIL = [Range(0, 12, 15)]


def records(counts: dict[int, int]) -> list[Raw]:
    """Of each partition so many, with gaps between their offsets."""
    return [Raw(Position(p, 3 * n), b"k", b"v%d" % n) for p, count in sorted(counts.items()) for n in range(count)]


@given(st.dictionaries(st.integers(0, 3), st.integers(0, 6)), st.data())
def test_a_log_lacks_what_comes_behind_the_records_that_it_holds(counts: dict[int, int], data: st.DataObject) -> None:
    """However often a restore is killed, what it appends in all is each record once, in order."""
    held = {partition: data.draw(st.integers(0, count)) for partition, count in counts.items()}
    wanted = records(counts)

    found = list(missing(wanted, held))

    before = [Raw(Position(p, 3 * n), b"k", b"v%d" % n) for p, count in sorted(held.items()) for n in range(count)]
    assert sorted([*before, *found]) == wanted
    assert found == sorted(found)


@pytest.mark.parametrize("found", [(b"k", b"v"), (None, b"w"), (b"k", None)])
def test_a_log_that_holds_another_record_is_refused(found: tuple[bytes | None, bytes | None]) -> None:
    expected = Raw(Position(0, 7), b"k", b"w")

    check_same(Raw(Position(0, 3), b"k", b"w"), expected)
    with pytest.raises(LogError, match=r"record 0:3 of the new log is not record 0:7 of the old one"):
        check_same(Raw(Position(0, 3), *found), expected)


def entry(customer_id: str, position: str | None, topic_id: str = "old", days: int = 0) -> Entry:
    return Entry(
        id=f"{customer_id}-{position}-{topic_id}",
        customer_id=customer_id,
        at=START + timedelta(days=days),
        who="op",
        topic_id=topic_id,
        position=position,
    )


@pytest.mark.parametrize(
    ("position", "again"),
    [
        ("0:9", False),
        ("0:10", True),
        ("0:11", True),
        ("0:12", False),
        ("0:14", False),
        ("0:15", True),
        ("1:4", False),
        ("1:5", True),
        ("1:7", True),
        ("1:8", False),
        ("1:20", True),
        (None, True),
    ],
)
def test_an_erasure_is_applied_again_unless_its_record_is_restored(position: str | None, again: bool) -> None:
    """Neither from the master, which lacks what was lost, nor from the old topic."""
    found = not_restored([entry("ada", position)], HEAD, TAIL, "new", [])

    assert [each.customer_id for each in found] == ["ada"] * again


def test_an_archived_erasure_that_is_newer_than_a_lost_one_of_another_customer_is_left_alone() -> None:
    """Who came back after an archived erasure stays."""
    entries = [entry("lost", "0:11", days=1), entry("back", "1:9", days=2), entry("other log", "0:50", "third", days=3)]

    assert [each.customer_id for each in not_restored(entries, HEAD, TAIL, "new", [])] == ["lost"]


def test_what_was_applied_again_already_is_left_out() -> None:
    lost = entry("lost", "0:11")
    own = Entry(customer_id="lost", at=START, who="op", topic_id="new", position="0:99", again_of=lost.id)

    assert not_restored([lost], HEAD, TAIL, "new", [own]) == []
    assert not_restored([lost], HEAD, TAIL, "newest", [own]) == [lost]
