"""R12: the first record at or after a time, where Kafka gives none, or one that is not committed."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from confluent_kafka import IsolationLevel, KafkaException
from confluent_kafka.admin import OffsetSpec

from common.servers.kafka import Inquiry

FOUND, FIRST, END = 5, 3, 9
AT = 1_000


class Answers:
    """What Kafka says of each partition; `any_time` is of a time before all records."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, found: int, newest: int, any_time: int, first: int) -> None:
        self.asked: list[str] = []
        self._found, self._newest, self._any, self._first = found, newest, any_time, first
        monkeypatch.setattr(Inquiry, "_list", self._list)
        self.inquiry = Inquiry(Mock(), 1.0, lambda: 0.0)

    def _list(
        self, topic: str, specs: Mapping[int, OffsetSpec], isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED
    ) -> dict[int, SimpleNamespace]:
        return {partition: self._answer(spec, isolation) for partition, spec in specs.items()}

    def _answer(self, spec: Any, isolation: IsolationLevel) -> SimpleNamespace:
        kind = type(spec).__name__
        self.asked.append(kind)
        assert (isolation is IsolationLevel.READ_COMMITTED) == (kind == "LatestSpec"), "only the end is of readers"
        by_time = self._any if kind == "TimestampSpec" and spec._value == 0 else self._found
        offsets = {"MaxTimestampSpec": 8, "EarliestSpec": self._first, "LatestSpec": END, "TimestampSpec": by_time}
        return SimpleNamespace(offset=offsets[kind], timestamp=self._newest)


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
    answers = Answers(monkeypatch, found=found, newest=newest, any_time=any_time, first=first)

    assert answers.inquiry.offsets_since("log", {0: AT, 1: AT}) == {0: expected, 1: expected}
    for before in ("MaxTimestampSpec", "LatestSpec"):
        assert answers.asked.index(before) < answers.asked.index("TimestampSpec"), "what comes between is not passed"


def test_nothing_is_concluded_while_the_newest_record_is_replicated_and_a_segment_is_to_be_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Either offset could be meant: the question is put again, since its error is that of an election."""
    answers = Answers(monkeypatch, found=-1, newest=-1, any_time=-1, first=FIRST)

    with pytest.raises(KafkaException, match="OFFSET_NOT_AVAILABLE"):
        answers.inquiry.offsets_since("log", {0: AT})
