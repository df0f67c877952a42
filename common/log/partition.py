"""The partition that a customer's records lie in: Kafka's murmur2 of the key in UTF-8 (R1). Knows no topic."""

from functools import lru_cache

from aiokafka.partitioner import murmur2


@lru_cache(maxsize=100_000)
def partition_of(customer_id: str, partition_count: int) -> int:
    """Returns the partition of `customer_id` in a topic of `partition_count` partitions."""
    return int(murmur2(customer_id.encode()) & 0x7FFFFFFF) % partition_count
