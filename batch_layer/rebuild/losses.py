"""Accepting ranges as lost: only what neither Kafka nor the master holds (R15). Knows no speed table."""

from collections.abc import Mapping, Sequence

from batch_layer.job import Job
from batch_layer.master import table as master
from batch_layer.master.archive import checked_identity
from batch_layer.view import publish
from common.algebra.cut import Cut
from common.algebra.losses import Range, accept, ranges_of, uncovered
from common.errors import LogError, UsageError
from common.servers import kafka

OPTION = "--accept-loss"


def check(job: Job, ranges: Sequence[Range]) -> None:
    """Raises UsageError for a range that is held in part, and LogError if another range is lost, too."""
    identity = checked_identity(job)
    master.ensure(job)
    head = master.head(job)
    archived = Cut.zero() if head is None else head.offsets
    firsts = kafka.first_offsets(job.settings, identity.partitions)
    check_ranges(ranges, ranges_of(publish.read(job.session)), firsts, archived)


def check_ranges(ranges: Sequence[Range], known: Sequence[Range], firsts: Mapping[int, int], archived: Cut) -> None:
    """Raises UsageError for a range that is held in part, and LogError if another range is lost, too.

    A range that was accepted before, and so is `known`, passes: the same command may be run again.
    """
    for each in ranges:
        if each not in known:
            check_lost(each, firsts, archived)
    gaps = [Range(p, archived[p], first) for p, first in firsts.items() if archived[p] < first]
    left = [part for gap in gaps for part in uncovered(gap, [*known, *ranges])]
    if left:
        options = " ".join(f"{OPTION} {each}" for each in left)
        raise LogError(f"further records are lost, and nothing was accepted; name them, too: {options}")


def check_lost(lost: Range, firsts: Mapping[int, int], archived: Cut) -> None:
    """Raises UsageError, which names what is held, unless neither Kafka nor the master holds a record of the range."""
    if lost.partition not in firsts:
        raise UsageError(OPTION, str(lost), f"a partition of the log, from 0 to {len(firsts) - 1}")
    first = firsts[lost.partition]
    below = archived[lost.partition]
    if lost.start < below:
        rule = f"lost: the master holds every record of partition {lost.partition} below offset {below}"
        raise UsageError(OPTION, str(lost), f"{rule}; what is lost is {lost.partition}:{below}:{first}")
    if lost.end > first:
        rule = f"lost: Kafka holds partition {lost.partition} from offset {first} on"
        way_on = f"; what is lost is {lost.partition}:{below}:{first}" if below < first else "; nothing of it is lost"
        raise UsageError(OPTION, str(lost), rule + way_on)


def accept_losses(job: Job, ranges: Sequence[Range]) -> None:
    """The pointer carries the ranges; every later commit of the master does, too. Idempotent."""
    at = job.clock()
    publish.transition(job.session, lambda pointer: accept(pointer, ranges, at))
    job.done("accept", f"lost: {', '.join(map(str, ranges))}")
