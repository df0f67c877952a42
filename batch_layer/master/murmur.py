"""Kafka's murmur2 of many keys at once (R1); a law compares it with `common.log.partition.partition_of`."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_M: Final = np.uint32(0x5BD1E995)
_SEED: Final = np.uint32(0x9747B28C)


def partitions_of(keys: pa.BinaryArray, partition_count: int) -> npt.NDArray[np.int64]:
    """Returns the partition of each key in a topic of `partition_count` partitions; that of a null says nothing."""
    bounds = np.frombuffer(keys.buffers()[1], np.int32, len(keys) + 1, keys.offset * 4)
    held = keys.buffers()[2]
    data = np.frombuffer(held, np.uint8) if held is not None else np.zeros(0, np.uint8)
    lengths = np.diff(bounds)
    hashes = np.empty(len(keys), np.uint32)
    for length in np.flatnonzero(np.bincount(lengths)) if len(keys) else ():
        places = np.flatnonzero(lengths == length)
        hashes[places] = _murmur2(data[bounds[places][:, None] + np.arange(length)])
    return (hashes & np.uint32(0x7FFFFFFF)).astype(np.int64) % partition_count


def _murmur2(keys: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """The hashes of keys of one length, a row each. Source: `org.apache.kafka.common.utils.Utils.murmur2`."""
    count, length = keys.shape
    hashes = np.full(count, _SEED ^ np.uint32(length), np.uint32)
    whole = length // 4 * 4
    words = np.ascontiguousarray(keys[:, :whole]).view("<u4")
    with np.errstate(over="ignore"):  # arithmetic modulo 2^32 is meant
        for number in range(whole // 4):
            word = words[:, number] * _M
            word ^= word >> np.uint32(24)
            hashes = hashes * _M ^ word * _M
        for place in range(length - whole - 1, -1, -1):
            hashes ^= keys[:, whole + place].astype(np.uint32) << np.uint32(8 * place)
        if length > whole:
            hashes *= _M
        hashes ^= hashes >> np.uint32(13)
        hashes *= _M
        return hashes ^ hashes >> np.uint32(15)
