"""Appends to the log again what the speed tables hold of a lost range (R15)."""

from collections.abc import Sequence
from typing import Final

from confluent_kafka import KafkaError, Message

from common.errors import RejectedRecord
from common.log.normalizing import Rules
from common.log.partition import partition_of
from common.servers.producer import producer, undelivered
from common.settings import Settings
from infra.operate.losses.records import Held, record_of

TIMEOUT_MS: Final = 60_000
POLL_EVERY: Final = 500


def resend(settings: Settings, facts: Sequence[Held], partitions: int, now: int) -> list[tuple[Held, RejectedRecord]]:
    """Appends a record for each fact, in their order, and returns those that no record of this release can say.

    All others are acknowledged at the return. Run again, it appends them again, which changes no answer. Raises
    LogUnavailable or LogError if Kafka does not take one.
    """
    client = producer(settings, **{"message.timeout.ms": TIMEOUT_MS})
    failures: list[KafkaError] = []
    unsaid: list[tuple[Held, RejectedRecord]] = []

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failures.append(error)

    for count, held in enumerate(facts, 1):
        try:
            value = record_of(held, partitions, Rules(settings.log.currency), now)
        except RejectedRecord as error:
            unsaid.append((held, error))
            continue
        partition = partition_of(held.customer_id, partitions)
        client.produce(settings.log.topic, value, held.customer_id.encode(), partition, on_delivery=delivered)
        if count % POLL_EVERY == 0:
            client.flush(TIMEOUT_MS / 1000)
    while client.flush(0.5):
        pass
    if failures:
        text = (
            f"Kafka did not acknowledge a record that was sent again: {failures[0].str()}. Nothing was accepted as "
            "lost; run the same command again"
        )
        raise undelivered(failures[0], text)
    return unsaid
