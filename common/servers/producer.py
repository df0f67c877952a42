"""The producer of records and copies. import-linter lists by name the modules that may import it."""

from confluent_kafka import KafkaError, Producer

from common.errors import LogError, LogUnavailable
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


def undelivered(error: KafkaError, text: str) -> LogUnavailable | LogError:
    """The error for a record that its delivery report says is not in the log: LogError where Kafka refused it."""
    # The client repeats whatever may still succeed until `message.timeout.ms` is over, and then says just this.
    timed_out = error.code() == KafkaError._MSG_TIMED_OUT  # noqa: SLF001 # the client's name of the error
    return LogUnavailable(text) if timed_out else LogError(text)
