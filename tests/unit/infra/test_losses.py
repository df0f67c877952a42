"""R15: which ranges are accepted as lost, and facts that cannot be sent again."""

import pytest

from batch_layer.rebuild.losses import check_lost
from common.algebra.cut import Cut
from common.algebra.facts import Fact
from common.algebra.losses import Range
from common.errors import RejectedRecord, UsageError
from common.log.partition import partition_of
from infra.operate.losses.records import Held, record_of
from tests.support.builders import Log, random_messages
from tests.support.model import RULES, read

PARTITIONS = 4
NOW = 1_800_000_000_000_000


def test_a_fact_that_this_release_rejects_is_told_and_not_changed() -> None:
    log = Log(PARTITIONS)
    log.append(*random_messages(seed=3, count=60))
    events = (read(record, PARTITIONS) for record in log.records)
    event = next(event for event in events if event is not None and event.image is not None)
    assert event.image is not None

    with pytest.raises(RejectedRecord):
        record_of(Held("ada ", event.kind, event.entity_id, Fact(1, None, event.image)), PARTITIONS, RULES, NOW)
    assert partition_of("ada ", PARTITIONS) >= 0


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("0:400:700", "the master holds every record of partition 0 below offset 500; what is lost is 0:500:700"),
        ("0:500:701", "Kafka holds partition 0 from offset 700 on; what is lost is 0:500:700"),
        ("1:500:600", "Kafka holds partition 1 from offset 0 on; nothing of it is lost"),
        ("2:500:600", "a partition of the log, from 0 to 1"),
    ],
)
def test_r15_only_what_neither_kafka_nor_the_master_holds_is_accepted(text: str, rule: str) -> None:
    with pytest.raises(UsageError, match=rule):
        check_lost(Range.parse(text), {0: 700, 1: 0}, Cut.of({0: 500, 1: 40}))


@pytest.mark.parametrize("text", ["0:500:700", "0:600:650"])
def test_r15_a_range_that_nobody_holds_is_accepted_whole_or_in_part(text: str) -> None:
    check_lost(Range.parse(text), {0: 700}, Cut.of({0: 500}))
