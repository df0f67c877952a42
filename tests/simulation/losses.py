"""Records that nobody holds any more: Kafka's retention, the master, and what is still to be mended (R15)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from batch_layer.master import archive, log
from batch_layer.master.table import Head
from batch_layer.view import publish
from common.algebra.cut import Cut
from common.algebra.losses import Range, ranges_of, uncovered
from common.algebra.pointer import Pointer
from common.log.partition import partition_of
from common.log.position import Position
from infra.proof.oracle import RawRecord
from tests.simulation.pointer import decoded
from tests.simulation.process import RECORDED, SETTINGS
from tests.simulation.scenery import PARTITIONS
from tests.simulation.wrong import Wrong

if TYPE_CHECKING:
    from tests.simulation.world import World

RATE: Final = 0.05
"""The part of all seeds in which records may be lost."""
MOST: Final = 2
"""How often a seed's log loses a range."""
JOB: Final[Any] = SimpleNamespace(settings=SETTINGS)
"""As much of a job as the commit of an archive looks at."""


class Gone(NamedTuple):
    """A range that the log lost, before the master had it."""

    range: Range
    records: Sequence[RawRecord]
    seen_by: frozenset[int]
    """The generations whose workers had fetched some of it; no later one can."""

    @property
    def positions(self) -> frozenset[Position]:
        return frozenset(Position(record.partition, record.offset) for record in self.records)


@dataclass
class Losses:
    """What is lost in one world, and how far it is mended."""

    world: "World"
    random: Random
    """Its own, so that the draws of seeds without losses are as they would be."""
    gone: list[Gone] = field(default_factory=list)
    lost: set[Position] = field(default_factory=set)
    unpublished: list[Range] = field(default_factory=list)
    """What left Kafka before its copies were published, as rebuilds said; the master has it."""
    firsts: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(PARTITIONS), 0))
    _fetched: dict[tuple[int, int], int] = field(default_factory=dict)
    """By generation and partition, the offset below which some worker fetched everything."""

    # What happens to the log.

    def lose(self) -> None:
        """Retention deletes records of a partition that the master does not have yet."""
        log_, archived = self.world.log, self.world.master.archived
        starts = {p: max(archived[p], self.firsts[p]) for p in range(PARTITIONS)}
        able = [p for p in range(PARTITIONS) if log_.from_offset(p, starts[p])]
        if not able or len(self.gone) >= MOST:
            return
        partition = self.random.choice(able)
        held = log_.from_offset(partition, starts[partition])
        last = self.random.choice(held)
        first = self.random.choice((last.offset + 1, last.offset + 1, self.world.log.next_offsets[partition]))
        records = [record for record in held if record.offset < first]
        least = records[0].offset
        seen_by = frozenset(number for (number, p), end in self._fetched.items() if p == partition and end > least)
        gone = Gone(Range(partition, archived[partition], first), records, seen_by)
        self.world.count("log: a range was lost")
        self.world.say(f"      {gone.range} with {len(records)} records, fetched in generations {sorted(seen_by)}")
        self.firsts[partition] = first
        self.gone.append(gone)
        self.lost |= gone.positions

    def fetched(self, generation: int, partition: int, below: int) -> None:
        """A worker has fetched everything below an offset."""
        self._fetched[generation, partition] = max(self._fetched.get((generation, partition), 0), below)

    # What follows from it.

    def absent(self, generation: int, pointer: Pointer) -> frozenset[Position]:
        """The records that answers of a generation do without: they are lost, by name, and its workers never saw them.

        Nothing is missing from an answer, as far as its pointer does not say so.
        """
        if not self.gone:
            return frozenset()
        known = ranges_of(pointer)
        own = (each for each in self.gone if generation not in each.seen_by and not uncovered(each.range, known))
        return frozenset(position for each in own for position in each.positions)

    def is_mixed(self, generation: int, partition: int) -> bool:
        """Whether workers of the generation saw a part of a range, which a batch of now lacks."""
        return any(generation in each.seen_by and each.range.partition == partition for each in self.gone)

    @property
    def customers(self) -> set[str]:
        """Those that lost a valid record."""
        return {self.world.events[at].customer_id for at in self.lost if at in self.world.events}

    def waiting(self, pointer: Pointer, customer: str) -> list[Range]:
        """The losses of the customer's partition that are not declared as sent again."""
        partition = partition_of(customer, PARTITIONS)
        return [Range.of(loss) for loss in pointer.losses if loss.partition == partition and not loss.sent_again]

    def is_erased_after(self, customer: str, lost: Range, *, below: int, absent: frozenset[Position]) -> bool:
        """Whether the customer has an erasure above the range, and below an offset."""
        return any(
            event.is_erasure and event.customer_id == customer and lost.end <= at.offset < below and at not in absent
            for at, event in self.world.events.items()
        )

    def needs_no_copy(self, position: Position) -> bool:
        """Whether nobody had to publish the copies of a record: it left Kafka before a worker had it."""
        partition, offset = position
        return position in self.lost or any(
            each.partition == partition and each.start <= offset < each.end for each in self.unpublished
        )

    # What an operator sees.

    def gaps(self, known: Sequence[Range]) -> list[Range]:
        """What neither Kafka nor the master holds, and was not accepted."""
        archived = self.world.master.archived
        found = [Range(p, archived[p], first) for p, first in self.firsts.items() if archived[p] < first]
        return [part for gap in found for part in uncovered(gap, known)]

    def needs_a_rebuild(self) -> bool:
        """Whether the speed tables that are served hold records that are lost, or cannot go on."""
        pointer = decoded(self.world.pointer)
        applied = self.world.judge.applied(pointer.generation)
        is_stuck = any(applied.get(partition, 0) < first for partition, first in self.firsts.items())
        is_mixed = any(pointer.generation in each.seen_by for each in self.gone)
        return is_stuck or is_mixed or bool(self.gaps(ranges_of(pointer)))


@dataclass
class Master:
    """The master dataset: the head of its last commit. Its records are the log's below the head, but for the lost."""

    world: "World"
    head: Head | None = None

    @property
    def archived(self) -> Cut:
        return archive.cut_of_head(self.head)

    def archive(self, session: Any) -> Cut:
        """Production's `archive.append`, at one moment: the log's end, below which the master has all that is held.

        Raises LogError, and commits nothing, if something is gone that was not accepted as lost.
        """
        ends, losses = Cut.of(self.world.log.next_offsets), self.world.losses
        accepted = ranges_of(publish.read(session)) if losses.gone else []
        log.held_from(RECORDED, losses.firsts, self.archived, ends, accepted)
        number = 1 if self.head is None else self.head.archive_id + 1
        self.head = archive.head_after(JOB, RECORDED, number, ends, accepted)
        self._check_holes(self.head)
        return ends

    def _check_holes(self, head: Head) -> None:
        """R15: every commit names the ranges that it lacks. Raises Wrong."""
        holes = [at for at in self.world.losses.lost if at.offset < head.offsets[at.partition]]
        for partition, offset in holes:
            if uncovered(Range(partition, offset, offset + 1), head.losses):
                raise Wrong(f"the master has a hole at {partition}:{offset}, which its commit does not name: {head}")
