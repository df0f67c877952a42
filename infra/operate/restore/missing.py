"""Which of the records to restore the new log lacks: a restore that was killed goes on where it stopped (R25). Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from batch_layer.master.raw import Raw
from common.errors import LogError


def missing(records: Iterable[Raw], held: Mapping[int, int]) -> Iterator[Raw]:
    """Yields the records that a log lacks that holds the first `held[partition]` of each partition already."""
    seen = Counter[int]()
    for record in records:
        seen[record.at.partition] += 1
        if seen[record.at.partition] > held[record.at.partition]:
            yield record


def check_same(found: Raw, expected: Raw) -> None:
    """Raises LogError if `found`, a record of the new log, has not the bytes of the one that is to be there."""
    if (found.key, found.value) != (expected.key, expected.value):
        raise LogError(
            f"record {found.at} of the new log is not record {expected.at} of the old one, which a restore from this "
            "master would have put there, so nothing was appended. Give the restore a log of its own, and let nothing "
            "else send to it before it is done"
        )
