"""What the tests of Kafka's own faults need besides the harness: odd producers, odd headers, and the log's files."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.record.memory_records import MemoryRecords
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from common.log.partition import partition_of
from common.servers import kafka
from common.servers.producer import producer as new_producer
from common.settings import Settings
from infra.local.stack.home import Home
from tests.support.builders import Message, order
from tests.support.speed_system import PARTITIONS, TIMEOUT

CODECS: Final = ("none", "gzip", "snappy", "lz4", "zstd")
"""By the number that a batch carries."""
BATCH_OVERHEAD: Final = 72
"""Bytes of an uncompressed batch of one record of about a mebibyte, besides its key (shorter than 64) and value."""
Headers = Sequence[tuple[str, bytes | None]]


class RawName(str):
    """A header's name that a producer writes as bytes that are not UTF-8."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        return b"\xff" + super().encode()


def of_own_partition(customers: Sequence[str], partition: int) -> list[str]:
    """Those whose records lie in `partition`."""
    return [customer for customer in customers if partition_of(customer, PARTITIONS) == partition]


def padded(message: Message, size: int) -> Message:
    """The same record, with a value of `size` bytes."""
    value = message.value or b""
    return message._replace(value=value[:-1] + b" " * (size - len(value)) + value[-1:])


def largest(customer_id: str, limit: int) -> Message:
    """An order whose record, alone and uncompressed, makes a batch of `limit` bytes."""
    message = order(customer_id, "largest", total_amount="7.00")
    return padded(message, limit - BATCH_OVERHEAD - len(message.key or b""))


def unbounded(settings: Settings, codec: str = "none") -> Producer:
    """A producer that sends what it is given, one record a batch; the broker may refuse it."""
    limits: dict[str, str | int] = {"message.max.bytes": 2**26, "batch.num.messages": 1, "compression.type": codec}
    return new_producer(settings, **limits)


def set_topic(settings: Settings, name: str, value: str) -> None:
    """Somebody configures the log's topic."""
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, settings.log.topic, incremental_configs=[entry])
    admin = kafka.admin(settings)  # it must outlive its futures
    (answer,) = admin.incremental_alter_configs([resource]).values()
    answer.result(TIMEOUT)


def delete_below(settings: Settings, partition: int, offset: int) -> None:
    """Retention deletes the partition's records below `offset`."""
    admin = kafka.admin(settings)  # it must outlive its futures
    (answer,) = admin.delete_records([TopicPartition(settings.log.topic, partition, offset)]).values()
    answer.result(TIMEOUT)


def produce_raw(settings: Settings, partition: int, records: Sequence[tuple[Message, Headers]], codec: int) -> None:
    """The records in one batch, their headers' names as they encode themselves."""

    async def send() -> None:
        producer: Any = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers, acks="all")
        await producer.start()
        try:
            batch = producer.create_batch()
            batch._builder = _DefaultRecordBatchBuilderPy(2, codec, 0, -1, -1, 0, 2**20)
            for message, headers in records:
                given = {"key": message.key, "value": message.value, "headers": list(headers)}
                assert batch.append(timestamp=None, **given) is not None
            batch.close()
            await (await producer.send_batch(batch, settings.log.topic, partition=partition))
        finally:
            await producer.stop()

    asyncio.run(send())


def log_files(stack: Settings, settings: Settings) -> Iterator[tuple[int, Path]]:
    """The file of each partition of the log, in the folder of the stack's broker."""
    for partition in range(PARTITIONS):
        folder = Home.of(stack).path / "kafka" / "data" / f"{settings.log.topic}-{partition}"
        yield partition, folder / f"{0:020}.log"


def codecs_in(file: Path) -> set[str]:
    """The codecs of the batches in a file of the log."""
    batches: Any = MemoryRecords(file.read_bytes())
    found = set()
    while batches.has_next():
        found.add(CODECS[batches.next_batch().compression_type])
    return found
