"""The log's topic and those beside it: made once, with the settings R1 demands, and held to them."""

import time
from collections.abc import Mapping
from importlib.resources import files

import yaml
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata, ConfigResource, NewTopic, ResourceType

from common.errors import LogError, LogUnavailable
from common.servers.kafka import CONNECT_SECONDS, TIMEOUT_SECONDS, Inquiry, ask
from common.servers.log_identity import LogIdentity
from common.settings import TOPIC_FIELDS, Settings


def apply(settings: Settings, on_record: LogIdentity | None = None) -> None:
    """All topics exist, as `infra/schema/topics.yaml` says.

    Raises LogUnavailable where Kafka does not answer, LogError where one exists and differs, or where the log that is
    on record is gone: a new one in its place would be another log, to which no stored offset belongs.
    """

    def make(inquiry: Inquiry) -> None:
        for name, config in _missing(inquiry.client, settings, on_record).items():
            _create(inquiry.client, settings, name, config)

    ask(settings, make)


def missing(settings: Settings, on_record: LogIdentity | None = None) -> Mapping[str, Mapping[str, str]]:
    """The topics that `apply` would make, with their configuration. Raises what `apply` would raise."""
    return ask(settings, lambda inquiry: _missing(inquiry.client, settings, on_record))


def brokers(settings: Settings) -> int:
    """How many brokers the cluster has. Raises LogUnavailable if none answers."""

    def count(inquiry: Inquiry) -> int:
        return len(inquiry.client.list_topics(settings.log.topic, timeout=inquiry.left()).brokers)

    return ask(settings, count, timeout_seconds=CONNECT_SECONDS)


def wanted(brokers: int, replicas: int) -> Mapping[str, Mapping[str, str]]:
    """The configuration of each topic, by the setting that names it, on that many brokers with that many replicas.

    A single replica cannot satisfy `min.insync.replicas` 2: nothing could be written (R1).
    """
    text = files("infra.schema").joinpath("topics.yaml").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, str]] = yaml.safe_load(text)
    replicated = loaded["replicated"] if min(brokers, replicas) > 1 else {}
    return {setting: {**loaded[setting], **replicated} for setting in TOPIC_FIELDS}


def _missing(client: AdminClient, settings: Settings, on_record: LogIdentity | None) -> Mapping[str, Mapping[str, str]]:
    cluster = client.list_topics(timeout=TIMEOUT_SECONDS)
    existing = {}
    for setting in TOPIC_FIELDS:
        name = getattr(settings.log, setting)
        if (topic := cluster.topics.get(name)) is not None:
            if topic.error is not None:  # Kafka does not know its partitions at the moment
                raise KafkaException(topic.error)
            existing[name] = len(topic.partitions)
    _check_log(settings, existing, on_record)
    absent = {}
    for setting, config in wanted(len(cluster.brokers), settings.log.replication_factor).items():
        name = getattr(settings.log, setting)
        if name in existing:
            _check_partitions(settings, name, existing[name])
            _check_replicas(settings, cluster, name)
            _check_config(client, name, config)
        else:
            absent[name] = config
    return absent


def _check_log(settings: Settings, existing: Mapping[str, int], on_record: LogIdentity | None) -> None:
    name, partitions = settings.log.topic, settings.log.partitions
    if on_record and name not in existing:
        raise LogError(
            f"topic {name!r} (id {on_record.topic_id}, {on_record.partitions} partitions) is on record but not in "
            "Kafka any more. A new one would be another log, so none was made. Restore it, or start a new system: "
            "`lambda360 stack reset` empties a local one"
        )
    # A difference from the record is worse than one from the settings, and is told by `log_identity`.
    if existing.get(name, partitions) != partitions and (not on_record or on_record.partitions == existing[name]):
        raise LogError(
            f"topic {name!r} has {existing[name]} partitions, and their number never changes (R1), but "
            f"LAMBDA360_LOG_PARTITIONS is {partitions}; set it to {existing[name]}, in the environment or settings.env"
        )


def _check_partitions(settings: Settings, name: str, partitions: int) -> None:
    """A copy lies in the partition of its record, so every topic has the log's number of them."""
    if name != settings.log.topic and partitions != settings.log.partitions:
        raise LogError(
            f"topic {name!r} has {partitions} partitions, and the log {settings.log.partitions}: they must be as many. "
            "Nobody else may use that topic: rename it in the settings, or remove it"
        )


def _check_replicas(settings: Settings, cluster: ClusterMetadata, name: str) -> None:
    """Checked before the configuration: `min.insync.replicas` 2 would stop every write to a single replica."""
    fewest = min(len(partition.replicas) for partition in cluster.topics[name].partitions.values())
    if fewest == 1 < min(len(cluster.brokers), settings.log.replication_factor):
        raise LogError(
            f"topic {name!r} has 1 replica, and LAMBDA360_LOG_REPLICATION_FACTOR is {settings.log.replication_factor}: "
            "give it more with Kafka's own kafka-reassign-partitions, or set that to 1"
        )


def _check_config(client: AdminClient, name: str, config: Mapping[str, str]) -> None:
    resource = ConfigResource(ResourceType.TOPIC, name)
    found = client.describe_configs([resource], request_timeout=TIMEOUT_SECONDS)[resource].result()
    wrong = [f"{key} is {found[key].value}, not {value}" for key, value in config.items() if found[key].value != value]
    if wrong:
        raise LogError(f"topic {name!r} is not made as infra/schema/topics.yaml demands: {'; '.join(wrong)}")


def _create(client: AdminClient, settings: Settings, name: str, config: Mapping[str, str]) -> None:
    topic = NewTopic(name, settings.log.partitions, settings.log.replication_factor, config=dict(config))
    try:
        client.create_topics([topic], request_timeout=TIMEOUT_SECONDS)[name].result()
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
    _wait_for_leaders(client, name)


def _wait_for_leaders(client: AdminClient, name: str) -> None:
    """The brokers know the topic: they learn of it a moment after its creation is acknowledged."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        found = client.list_topics(timeout=TIMEOUT_SECONDS).topics.get(name)
        if found and found.partitions and all(partition.leader >= 0 for partition in found.partitions.values()):
            return
        time.sleep(0.05)
    raise LogUnavailable(f"topic {name!r} was made, but its partitions have no leaders after {TIMEOUT_SECONDS:.0f} s")
