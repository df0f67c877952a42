"""The producer of records and copies. import-linter lists by name the modules that may import it."""

from confluent_kafka import KafkaError, Producer

from common.errors import LogError, LogUnavailable
from common.servers.kafka import QUIET
from common.settings import Settings


def producer(settings: Settings, **overrides: str | int | float | bool) -> Producer:
    """Returns a producer that keeps R1: murmur2 partitions; records in order, once, acknowledged by all replicas.

    Each of the `overrides` replaces a setting of the client.
    """
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
    """Returns the error, with `text`, for a record whose delivery failed with `error`.

    It is LogUnavailable if the record was not acknowledged in time, and LogError if Kafka refused it.
    """
    # The client retries what may still succeed until `message.timeout.ms` is over, and reports this error then.
    timed_out = error.code() == KafkaError._MSG_TIMED_OUT  # noqa: SLF001 # the client's name of the error
    return LogUnavailable(text) if timed_out else LogError(text)
