"""R12: the first record at or after a time, where Kafka gives none."""

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka.admin import OffsetSpec

from common.servers import kafka
from common.settings import Settings

FOUND, FIRST, END = 5, 3, 9
AT = 1_000_000


@pytest.mark.parametrize(
    ("found", "newest", "expected"),
    [
        pytest.param(FOUND, 2_000, FOUND, id="what Kafka found"),
        pytest.param(-1, 999, END, id="no record is so new"),
        pytest.param(-1, -1, END, id="no record at all"),
        pytest.param(-1, 1_000, FIRST, id="Kafka looked into a segment that it is about to remove"),
    ],
)
def test_the_first_offset_at_or_after_a_time(
    monkeypatch: pytest.MonkeyPatch, found: int, newest: int, expected: int
) -> None:
    asked = []

    def answer(_: Settings, partitions: int, spec: OffsetSpec, *rest: Any) -> dict[int, SimpleNamespace]:
        asked.append(type(spec).__name__)
        offsets = {"MaxTimestampSpec": 8, "EarliestSpec": FIRST, "LatestSpec": END, "TimestampSpec": found}
        return dict.fromkeys(range(partitions), SimpleNamespace(offset=offsets[asked[-1]], timestamp=newest))

    monkeypatch.setattr(kafka, "_asked", answer)

    assert kafka.offsets_at(Settings(), 2, AT) == {0: expected, 1: expected}
    assert asked.index("MaxTimestampSpec") < asked.index("TimestampSpec"), "a record that comes between says nothing"
