"""R1: a key's partition is Kafka's own, murmur2 over UTF-8; the oracle's hash is written anew."""

import pytest

from common.log.partition import partition_of
from infra.proof import oracle

KAFKAS_OWN = {"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536}
KAFKAS_OWN |= {"a-little-bit-longer-string": -1486304829, "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971}
KAFKAS_OWN |= {"abc": 479470107}
"""From Kafka's `UtilsTest.testMurmur2`."""


@pytest.mark.parametrize(("key", "murmur2"), KAFKAS_OWN.items())
def test_both_hashes_are_kafkas(key: str, murmur2: int) -> None:
    for partitions in (1, 4, 1000, 2**31):
        assert partition_of(key, partitions) == (murmur2 & 0x7FFFFFFF) % partitions
        assert oracle.partition_of(key, partitions) == (murmur2 & 0x7FFFFFFF) % partitions
