"""R24: nothing is removed that a consumer group has not read, and a group that Kafka does not tell of is not absent."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from common.servers.kafka import Inquiry
from infra.operate.erasure.topics import _least_committed

REFUSED = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
LOADING = KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS)


@dataclass
class Groups:
    """An admin client of a cluster with these groups, and what each has committed; `errors` are of its brokers."""

    committed: dict[str, list[Any]]
    errors: list[KafkaError] = field(default_factory=list)

    def list_consumer_groups(self, **_: object) -> Any:
        valid = [SimpleNamespace(group_id=group) for group in self.committed]
        return SimpleNamespace(result=lambda: SimpleNamespace(valid=valid, errors=self.errors))

    def list_consumer_group_offsets(self, asked: list[Any], **_: object) -> Any:
        [group] = asked
        answer = SimpleNamespace(topic_partitions=self.committed[group.group_id])
        return {group.group_id: SimpleNamespace(result=lambda: answer)}


def least(groups: Groups) -> dict[int, tuple[int, str]]:
    return _least_committed("deltas", Inquiry(cast(AdminClient, groups), 1.0, lambda: 0.0))


def test_the_slowest_group_counts_in_each_partition() -> None:
    behind = [TopicPartition("deltas", 0, 5), TopicPartition("deltas", 1, 9), TopicPartition("other", 1, 1)]
    ahead = [TopicPartition("deltas", 0, 7), TopicPartition("deltas", 1, 8), TopicPartition("deltas", 2, -1001)]

    assert least(Groups({"behind": behind, "ahead": ahead, "idle": []})) == {0: (5, "behind"), 1: (8, "ahead")}


def test_what_is_said_of_strangers_topics_stops_nothing() -> None:
    refused = SimpleNamespace(topic="theirs", partition=0, offset=-1001, error=REFUSED)

    assert least(Groups({"a": [refused, TopicPartition("deltas", 0, 5)]})) == {0: (5, "a")}


@pytest.mark.parametrize(
    "groups",
    [
        pytest.param(
            Groups({"a": [SimpleNamespace(topic="deltas", partition=0, offset=-1001, error=REFUSED)]}),
            id="a partition whose offset is not told",
        ),
        pytest.param(Groups({"a": [TopicPartition("deltas", 0, 5)]}, [LOADING]), id="a broker that tells no groups"),
    ],
)
def test_what_kafka_does_not_tell_removes_nothing(groups: Groups) -> None:
    with pytest.raises(KafkaException):
        least(groups)
