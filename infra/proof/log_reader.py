"""Reads the raw log, or another topic, from Kafka, for the oracle."""

from typing import Final

from confluent_kafka import KafkaError, Message, TopicPartition

from common.errors import LogError
from common.servers.kafka import consumer, end_offsets
from common.settings import Settings
from infra.proof.oracle import RawRecord

GROUP: Final = "lambda360-log-reader"
"""The client requires one. Nothing joins it, and nothing is committed to it."""


class LogReader:
    """Reads the log, or `topic` with as many partitions. `records` grows with each `refresh`."""

    def __init__(self, settings: Settings, partitions: int, topic: str | None = None) -> None:
        log = settings.log.model_copy(update={"topic": topic or settings.log.topic})
        self._settings = settings.model_copy(update={"log": log})
        self._partitions = partitions
        self._next = dict.fromkeys(range(partitions), 0)
        self.records: list[RawRecord] = []

    def refresh(self) -> list[RawRecord]:
        """Reads at least up to the log's end at this call. Returns the new records, in offset order within a partition.

        Raises LogUnavailable if Kafka does not answer, LogError if a partition cannot be read.
        """
        ends = end_offsets(self._settings, self._partitions)
        behind = {p: end for p, end in ends.items() if self._next[p] < end}
        reader = consumer(self._settings, GROUP)
        reader.assign([TopicPartition(self._settings.log.topic, p, self._next[p]) for p in behind])
        new: list[RawRecord] = []
        try:
            while behind:
                for message in reader.consume(5000, timeout=1.0):
                    error = message.error()
                    partition = message.partition() or 0
                    if error is None:
                        new.append(_raw(message, partition))
                    elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 # the client's name of the error
                        behind.pop(partition, None)
                    else:
                        raise LogError(f"{self._settings.log.topic} cannot be read: {error.str()}")
        finally:
            reader.close()
        for record in new:
            self._next[record.partition] = max(self._next[record.partition], record.offset + 1)
        self.records.extend(new)
        return new


def _raw(message: Message, partition: int) -> RawRecord:
    _, appended_at_ms = message.timestamp()
    return RawRecord(
        partition=partition,
        offset=message.offset() or 0,
        key=message.key(),
        value=message.value(),
        appended_at=appended_at_ms * 1000,
    )
