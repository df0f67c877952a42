"""Topics on one broker and on several (R1), of a cluster that only describes itself."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import NewTopic

from common.errors import LogError
from common.settings import TOPIC_FIELDS, LogSettings, Settings
from infra.schema import topics

REPLICATED: Mapping[str, str] = {"min.insync.replicas": "2", "unclean.leader.election.enable": "false"}
CARELESS: Mapping[str, str] = {"min.insync.replicas": "1", "unclean.leader.election.enable": "false"}
NAMES = [getattr(LogSettings(), setting) for setting in TOPIC_FIELDS]


class Cluster:
    """So many brokers; all topics but `absent` exist, as the release makes them on one broker, and with `more`."""

    def __init__(
        self,
        brokers: int,
        replicas: int,
        more: Mapping[str, str],
        absent: str = "",
        errors: Mapping[str, KafkaError] | None = None,
    ) -> None:
        self._brokers, self._more, self._errors = dict.fromkeys(range(brokers)), more, errors or {}
        partition = SimpleNamespace(replicas=list(range(replicas)), leader=0)
        self._partitions = dict.fromkeys(range(4), partition)
        self._topics = {name: self._topic(name) for name in NAMES if name != absent}
        self.made: list[NewTopic] = []

    def _topic(self, name: str) -> Any:
        return SimpleNamespace(topic=name, partitions=self._partitions, error=self._errors.get(name))

    def list_topics(self, timeout: float) -> Any:
        return SimpleNamespace(topics=self._topics, brokers=self._brokers)

    def describe_configs(self, resources: list[Any], request_timeout: float) -> Any:
        setting = TOPIC_FIELDS[NAMES.index(resources[0].name)]
        config = {**topics.wanted(1, 1)[setting], **self._more}
        found = {key: SimpleNamespace(value=value) for key, value in config.items()}
        return {resources[0]: SimpleNamespace(result=lambda: found)}

    def create_topics(self, wanted: list[NewTopic], request_timeout: float) -> Any:
        self.made += wanted
        self._topics |= {topic.topic: self._topic(topic.topic) for topic in wanted}
        return {topic.topic: SimpleNamespace(result=lambda: None) for topic in wanted}


def apply(monkeypatch: pytest.MonkeyPatch, cluster: Cluster, replicas: int) -> None:
    monkeypatch.setattr(topics, "ask", lambda _, question: question(SimpleNamespace(client=cluster)))
    topics.apply(Settings(log=LogSettings(replication_factor=replicas)))


@pytest.mark.parametrize("setting", TOPIC_FIELDS)
@pytest.mark.parametrize(("brokers", "replicas"), [(2, 2), (3, 3), (5, 3)])
def test_r1_with_several_brokers_and_replicas_what_is_acknowledged_is_on_two(
    setting: str, brokers: int, replicas: int
) -> None:
    config = topics.wanted(brokers, replicas)[setting]

    assert {key: config[key] for key in REPLICATED} == REPLICATED


@pytest.mark.parametrize("setting", TOPIC_FIELDS)
@pytest.mark.parametrize(("brokers", "replicas"), [(1, 1), (3, 1), (1, 3)])
def test_r1_a_single_broker_or_replica_is_not_asked_for_two(setting: str, brokers: int, replicas: int) -> None:
    assert not topics.wanted(brokers, replicas)[setting].keys() & REPLICATED.keys()


def test_r1_existing_topics_of_one_broker_may_have_any_number_of_replicas_in_sync(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apply(monkeypatch, Cluster(brokers=1, replicas=1, more=CARELESS), replicas=1)


def test_r1_an_existing_topic_that_one_broker_alone_may_acknowledge_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apply(monkeypatch, Cluster(brokers=3, replicas=3, more=REPLICATED), replicas=3)
    with pytest.raises(LogError, match=r"'customer_events' .*: min\.insync\.replicas is 1, not 2$"):
        apply(monkeypatch, Cluster(brokers=3, replicas=3, more=CARELESS), replicas=3)


def test_r1_an_existing_topic_with_a_single_replica_is_reported_before_two_in_sync_would_stop_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(LogError, match=r"has 1 replica, and LAMBDA360_LOG_REPLICATION_FACTOR is 3"):
        apply(monkeypatch, Cluster(brokers=3, replicas=1, more=CARELESS), replicas=3)


def test_r1_a_topic_is_made_with_what_the_cluster_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(brokers=3, replicas=3, more=REPLICATED, absent="customer_deltas")

    apply(monkeypatch, cluster, replicas=3)

    (made,) = cluster.made
    assert (made.topic, made.num_partitions, made.replication_factor) == ("customer_deltas", 4, 3)
    assert made.config == topics.wanted(3, 3)["deltas_topic"]


def test_r1_a_topic_that_kafka_does_not_know_at_the_moment_is_not_one_without_partitions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody is told to set the number of partitions to 0; a stranger's topic is nobody's affair."""
    unknown = KafkaError(KafkaError.LEADER_NOT_AVAILABLE)
    with pytest.raises(KafkaException, match="LEADER_NOT_AVAILABLE"):
        apply(monkeypatch, Cluster(1, 1, {}, errors={NAMES[0]: unknown}), replicas=1)
    apply(monkeypatch, Cluster(1, 1, {}, errors={"a stranger's": unknown}), replicas=1)
