"""R12: the first record at or after a time, where Kafka gives none, or one that is not committed."""

from collections.abc import Iterable, Mapping
from itertools import repeat
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from confluent_kafka import IsolationLevel, KafkaException
from confluent_kafka.admin import OffsetSpec

from common.servers import kafka
from common.servers.kafka import ATTEMPTS, Inquiry

FOUND, FIRST, END = 5, 3, 9
AT = 1_000


class Answers:
    """What Kafka says of each partition; `any_time` is of a time before all records, and changes with each question."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *, found: int, newest: int, any_time: Iterable[int], first: int
    ) -> None:
        self.asked: list[str] = []
        self._found, self._newest, self._any, self._first = found, newest, iter(any_time), first
        monkeypatch.setattr(Inquiry, "_list", self._list)
        monkeypatch.setattr(kafka, "PAUSE_SECONDS", 0.0)
        self.inquiry = Inquiry(Mock(), 1.0, lambda: 0.0)

    def _list(
        self, topic: str, specs: Mapping[int, OffsetSpec], isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED
    ) -> dict[int, SimpleNamespace]:
        return {partition: self._answer(spec, isolation) for partition, spec in specs.items()}

    def _answer(self, spec: Any, isolation: IsolationLevel) -> SimpleNamespace:
        kind = "AnyTime" if getattr(spec, "timestamp", None) == 0 else type(spec).__name__
        self.asked.append(kind)
        assert (isolation is IsolationLevel.READ_COMMITTED) == (kind == "LatestSpec"), "only the end is of readers"
        offsets = {"MaxTimestampSpec": 8, "EarliestSpec": self._first, "LatestSpec": END, "TimestampSpec": self._found}
        return SimpleNamespace(offset=next(self._any) if kind == "AnyTime" else offsets[kind], timestamp=self._newest)


@pytest.mark.parametrize(
    ("found", "newest", "any_time", "first", "expected"),
    [
        pytest.param(FOUND, 2_000, FIRST, FIRST, FOUND, id="what Kafka found"),
        pytest.param(END + 2, 2_000, FIRST, FIRST, END, id="a record of an open transaction"),
        pytest.param(-1, 999, FIRST, FIRST, END, id="no record is so new"),
        pytest.param(-1, -1, -1, END, END, id="no record at all"),
        pytest.param(-1, 1_000, -1, FIRST, FIRST, id="Kafka looked into a segment that it is about to remove"),
        pytest.param(-1, -1, FIRST, FIRST, END, id="the newest is being replicated, and no segment is to be removed"),
    ],
)
def test_the_first_offset_at_or_after_a_time(
    monkeypatch: pytest.MonkeyPatch, found: int, newest: int, any_time: int, first: int, expected: int
) -> None:
    answers = Answers(monkeypatch, found=found, newest=newest, any_time=repeat(any_time), first=first)

    assert answers.inquiry.offsets_since("log", {0: AT, 1: AT}) == {0: expected, 1: expected}
    for before in ("MaxTimestampSpec", "LatestSpec"):
        assert answers.asked.index(before) < answers.asked.index("TimestampSpec"), "what comes between is not passed"


def test_nothing_is_concluded_while_the_newest_record_is_replicated_and_a_segment_is_to_be_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Either offset could be meant: the question is repeated, since its error is that of an election."""
    answers = Answers(monkeypatch, found=-1, newest=-1, any_time=repeat(-1), first=FIRST)

    with pytest.raises(KafkaException, match="OFFSET_NOT_AVAILABLE"):
        answers.inquiry.offsets_since("log", {0: AT})
    assert answers.asked.count("TimestampSpec") == ATTEMPTS


@pytest.mark.parametrize("any_time", [(-1, FIRST), (FIRST, -1)], ids=["it goes", "it comes"])
def test_a_segment_that_is_removed_between_two_questions_concludes_nothing(
    monkeypatch: pytest.MonkeyPatch, any_time: tuple[int, int]
) -> None:
    """The next attempt sees no such segment, before and after."""
    answers = Answers(monkeypatch, found=-1, newest=-1, any_time=(*any_time, FIRST, FIRST), first=FIRST)

    assert answers.inquiry.offsets_since("log", {0: AT}) == {0: END}
    assert answers.asked.count("TimestampSpec") == 2


def test_only_what_is_not_settled_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def settled(_: Inquiry, topic: str, at: Mapping[int, int]) -> Mapping[int, int]:
        asked.append(dict(at))
        return dict.fromkeys(list(at)[:2], FOUND)

    monkeypatch.setattr(Inquiry, "_settled", settled)
    monkeypatch.setattr(kafka, "PAUSE_SECONDS", 0.0)

    assert Inquiry(Mock(), 1.0, lambda: 0.0).offsets_since("log", {0: 1, 1: 2, 2: 3}) == dict.fromkeys(range(3), FOUND)
    assert asked == [{0: 1, 1: 2, 2: 3}, {2: 3}]
