"""Where the forwarding of alerts begins in their topic, once and for all."""

from typing import Final

import stamina
from confluent_kafka import Consumer, TopicPartition
from stamina.instrumentation import set_on_retry_hooks

from common.errors import LogError, LogUnavailable, UsageError
from common.servers.kafka import TIMEOUT_SECONDS, kafka_errors, sound
from common.servers.patience import report_retry
from common.settings import Settings

BEGIN_SECONDS: Final = 60.0


def begin(settings: Settings, client: Consumer, start: str | None) -> None:
    """Commits where the consumer group begins, in the partitions where it has committed nothing yet.

    `start` is `beginning` or `now`. Raises UsageError if it is None and such a partition exists: nothing is skipped,
    and nothing old is sent, unless it is asked for. Raises LogError without the topic; LogUnavailable, if Kafka did not
    answer for a minute.
    """
    # A broker that has just begun, or elects a coordinator for the group, refuses for a moment.
    set_on_retry_hooks([report_retry])
    again = stamina.RetryingCaller(attempts=None, timeout=BEGIN_SECONDS)
    again(LogUnavailable, _begin, settings, client, start)


def _begin(settings: Settings, client: Consumer, start: str | None) -> None:
    topic = settings.log.alerts_topic
    with kafka_errors(settings):
        found = client.list_topics(topic, timeout=TIMEOUT_SECONDS).topics[topic]
        if found.error is not None:
            raise LogError(f"topic {topic!r} cannot be read: {found.error.str()}; `lambda360 schema apply` makes it")
        places = [TopicPartition(topic, partition) for partition in found.partitions]
        fresh = [at for at in sound(client.committed(places, timeout=TIMEOUT_SECONDS)) if at.offset < 0]
        if not fresh:
            return
        if start is None:
            rule = "--from-now or --from-beginning, since its offsets are unknown: it never ran, or not for a long time"
            raise UsageError("consumer group", settings.notify.group, rule)
        ends = {at.partition: client.get_watermark_offsets(at, timeout=TIMEOUT_SECONDS) for at in fresh}
        chosen = [TopicPartition(topic, p, low if start == "beginning" else high) for p, (low, high) in ends.items()]
        list(sound(client.commit(offsets=chosen, asynchronous=False) or ()))
