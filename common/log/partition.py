"""Which partition a customer's records lie in (R1): Kafka's own murmur2, over the UTF-8 key."""

from functools import lru_cache

from aiokafka.partitioner import murmur2


@lru_cache(maxsize=100_000)
def partition_of(customer_id: str, partition_count: int) -> int:
    """The partition of `customer_id` in a topic of `partition_count` partitions."""
    return int(murmur2(customer_id.encode()) & 0x7FFFFFFF) % partition_count
