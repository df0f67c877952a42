"""Closes Kafka's open segments, which it does only when something is appended (docs/adr/0026)."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ConfigSource, ResourceType

from common.servers.kafka import TIMEOUT_SECONDS, Inquiry, ask, kafka_errors
from common.servers.producer import producer
from common.settings import Settings

SEGMENT_MS: Final = "1000"
"""Segments that are older are closed while this runs. A topic is left with it only by a process that was killed."""
_SETTLE_SECONDS: Final = 1.5
"""Brokers act on a new setting a moment after it is acknowledged; and every segment is old enough by then."""
_NAME: Final = "segment.ms"


def close_segments(settings: Settings, topic: str, partitions: Sequence[int]) -> None:
    """The partitions' segments are closed, so that DeleteRecords can remove them.

    A transaction that is aborted is what is appended: its record is read by nobody who reads committed records, as
    both layers do (R1), and leaves a gap in the offsets. Raises LogUnavailable.
    """
    with kafka_errors(settings), _closing_early(settings, topic):
        time.sleep(_SETTLE_SECONDS)
        client = producer(settings, **{"transactional.id": f"lambda360-maintenance-{topic}"})
        client.init_transactions(TIMEOUT_SECONDS)
        client.begin_transaction()
        for partition in partitions:
            client.produce(topic, b"", partition=partition)
        client.flush(TIMEOUT_SECONDS)
        client.abort_transaction(TIMEOUT_SECONDS)


@contextmanager
def _closing_early(settings: Settings, topic: str) -> Iterator[None]:
    before = _own_value(settings, topic)
    _set(settings, topic, SEGMENT_MS)
    try:
        yield
    finally:
        _set(settings, topic, before)


def _own_value(settings: Settings, topic: str) -> str | None:
    """Returns the topic's own setting; None if it has the brokers' default, or what a killed run of this left."""
    entry = ask(settings, partial(_described, topic))
    is_own = ConfigSource(entry.source) is ConfigSource.DYNAMIC_TOPIC_CONFIG and entry.value != SEGMENT_MS
    return str(entry.value) if is_own else None


def _described(topic: str, inquiry: Inquiry) -> ConfigEntry:
    resources = [ConfigResource(ResourceType.TOPIC, topic)]
    [answer] = inquiry.client.describe_configs(resources, request_timeout=inquiry.left()).values()
    found: ConfigEntry = answer.result()[_NAME]
    return found


def _set(settings: Settings, topic: str, value: str | None) -> None:
    operation = AlterConfigOpType.DELETE if value is None else AlterConfigOpType.SET
    entry = ConfigEntry(_NAME, value or "", incremental_operation=operation)
    ask(settings, partial(_alter, ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])))


def _alter(resource: ConfigResource, inquiry: Inquiry) -> None:
    [altered] = inquiry.client.incremental_alter_configs([resource], request_timeout=inquiry.left()).values()
    altered.result()
