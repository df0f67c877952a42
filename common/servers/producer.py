"""The producer of records and copies. import-linter lists by name the modules that may import it."""

from confluent_kafka import Producer

from common.servers.kafka import QUIET
from common.settings import Settings


def producer(settings: Settings, **overrides: str | int | float | bool) -> Producer:
    """A producer whose records agree with R1: murmur2 partitions, acknowledged by all replicas, in order, once."""
    return Producer(
        {
            "bootstrap.servers": settings.bootstrap_servers,
            "partitioner": "murmur2_random",
            "acks": "all",
            "enable.idempotence": True,
            "compression.type": "lz4",
            "linger.ms": 5,
            **QUIET,
            **overrides,
        }
    )
