"""What a rebuild builds, how far, and what its progress rows may claim (R12, R13). Pure: knows no store, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from common.algebra.cut import Cut
from common.algebra.losses import Range, uncovered
from common.algebra.pointer import Pointer
from common.progress import Progress
from common.tables import FIRST_GENERATION

NEAR_RECORDS: Final = 1_000
"""A rebuild that is at most so many records behind the generation that is served switches."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen before a round of the rebuild: the master, the log, and the generation that is served."""

    archived: Cut
    """Below it the master holds every record. It was the log's end when the archiving began, at `archived_at`."""
    archived_at: int
    """Microseconds since the epoch, UTC."""
    firsts: Mapping[int, int]
    """The log's first offsets."""
    served: Mapping[int, Progress]
    """The rows of the generation that is served; a partition where no worker ever ran is absent."""
    skip_to: Cut = field(default_factory=Cut.zero)
    """Workers go on there at least, by an operator's decision: at a batch's cut. Zero where nothing is skipped."""

    @property
    def partitions(self) -> range:
        return range(len(self.firsts))

    def published(self, partition: int) -> int:
        """Everything below it was applied and published by the generation that is served."""
        row = self.served.get(partition)
        return 0 if row is None else row.next_offset

    def next_offset(self, partition: int) -> int:
        """Below it, workers have nothing to publish: it is published, or skipped."""
        return max(self.published(partition), self.skip_to[partition])


def resumes(sight: Sight) -> Cut:
    """Returns the offsets below which the new generation is built: there its workers resume.

    They are not above what is published or skipped, since only a worker publishes copies and raises alerts. They are
    not above what the master holds. They are not below the log's first offset, where a worker would refuse to start.
    What is built, and not published, is published by nobody (see `unpublished`).
    """
    return Cut.of(
        {
            partition: max(
                min(sight.archived[partition], sight.next_offset(partition)),
                sight.firsts[partition],
            )
            for partition in sight.partitions
        }
    )


def unpublished(sight: Sight, lost: Sequence[Range]) -> list[Range]:
    """Returns the ranges of records whose copies and alerts no worker will ever publish.

    They left Kafka before a worker applied them, or are skipped. They are built from the master; those that were
    accepted as `lost` are nowhere, and are left out.
    """
    ends = {p: max(min(sight.archived[p], sight.skip_to[p]), sight.firsts[p]) for p in sight.partitions}
    gaps = [Range(p, sight.published(p), ends[p]) for p in sight.partitions]
    return [part for gap in gaps if gap.start < gap.end for part in uncovered(gap, lost)]


def behind(sight: Sight, built: Cut) -> int:
    """Returns the records that are served and not built yet; at the switch, answers go back by so many."""
    return sum(max(sight.next_offset(p) - built[p], 0) for p in sight.partitions)


def is_near(missing: int, missing_before: int | None) -> bool:
    """Whether to switch: little is missing, or another round would not make it less."""
    return missing <= NEAR_RECORDS or (missing_before is not None and missing >= missing_before)


def deltas_from(pointer: Pointer, partitions: range) -> Cut:
    """Returns the offsets from which on deltas are written: the least cut of the batches that may be current.

    It becomes `from_offset`. Before the first batch it is zero.
    """
    cuts = [batch.plan.cut for batch in pointer.complete]
    return Cut.of({p: min((cut[p] for cut in cuts), default=0) for p in partitions})


def progress_rows(sight: Sight, built: Cut, deltas: Cut, *, version: str, now: int) -> list[Progress]:
    """Returns the rows of the new generation, built below `built`, with deltas at or above `deltas`.

    `version` is this release's validation version, which decided every record.
    """
    return [
        Progress(
            partition=partition,
            from_offset=deltas[partition],
            next_offset=built[partition],
            end_offset=max(sight.archived[partition], built[partition]),
            validation_version=version,
            beat_at=now,
            caught_up_at=_caught_up_at(sight, partition, built[partition]),
        )
        for partition in sight.partitions
    ]


def _caught_up_at(sight: Sight, partition: int, next_offset: int) -> int:
    """A moment such that every record that was appended before it lies below `next_offset`; 0 if none is known."""
    row = sight.served.get(partition)
    if next_offset >= sight.archived[partition]:
        return sight.archived_at
    return row.caught_up_at if row is not None and row.next_offset <= next_offset else 0


def retired(existing: set[int], served: int, left: int) -> list[int]:
    """Returns the generations whose tables are dropped after the switch from `left` to `served`.

    The one that was left stays until the switch after this: requests have it pinned, and workers still write it. All
    older ones go, and what killed rebuilds left behind. The first one's tables are the schema's own and stay as they
    are: a worker that slept through two rebuilds must not find them empty, or it would decide, and publish, as if
    nothing had been before.
    """
    return sorted(existing - {served, left, FIRST_GENERATION})
