"""R12: the first record at or after a time, where Kafka gives none."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from confluent_kafka.admin import AdminClient, OffsetSpec

from common.servers import kafka

FOUND, FIRST, END = 5, 3, 9
AT = 1_000


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

    def answer(_: AdminClient, topic: str, specs: Mapping[int, OffsetSpec], *rest: Any) -> dict[int, SimpleNamespace]:
        asked.append(type(specs[0]).__name__)
        offsets = {"MaxTimestampSpec": 8, "EarliestSpec": FIRST, "LatestSpec": END, "TimestampSpec": found}
        return dict.fromkeys(specs, SimpleNamespace(offset=offsets[asked[-1]], timestamp=newest))

    monkeypatch.setattr(kafka, "_list", answer)

    assert kafka.offsets_since(Mock(), "log", {0: AT, 1: AT}) == {0: expected, 1: expected}
    for before in ("MaxTimestampSpec", "LatestSpec"):
        assert asked.index(before) < asked.index("TimestampSpec"), "a record that comes between is not passed over"
