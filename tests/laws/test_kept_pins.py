"""R20, R22, R24: an answer by a kept pin, however old, is the fold below the offset that it names, and is fresh."""

import asyncio
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from common.algebra.cut import Cut
from common.algebra.measures import contribution
from common.algebra.state import State
from common.log.partition import partition_of
from common.settings import ServingSettings, Settings
from serving_layer.answer.answers import Answer, Answers
from serving_layer.read.pins import PinKeeper
from tests.support.builders import AS_OF
from tests.support.serving_fakes import NOW, PARTITIONS, MemoryViewStore, delta, order, pointing_at, progress, published

CUSTOMERS: Final = ("ada", "bob", "cy")
SLOTS: Final = ("a", "b", "c")
SETTINGS: Final = Settings(serving=ServingSettings(pin_max_age_seconds=60.0))


class Record(NamedTuple):
    """An order of so many cents, or an erasure where that is none."""

    customer: str
    cents: int | None


@dataclass
class World:
    """A log, a speed layer that applies it by and by, batches that read it, and two readers."""

    store: MemoryViewStore = field(default_factory=lambda: MemoryViewStore(progress_rows={}))
    logs: dict[int, list[Record]] = field(default_factory=lambda: {p: [] for p in range(PARTITIONS)})
    applied: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(PARTITIONS), 0))
    batches: int = 0
    quick: int = 0

    def __post_init__(self) -> None:
        self.pins = PinKeeper(lambda: self.store, SETTINGS.serving, lambda: 0.0)
        self.by_a_kept_pin = Answers(lambda: self.store, SETTINGS, lambda: NOW, self.pins)
        self.by_its_own = Answers(lambda: self.store, SETTINGS, lambda: NOW)

    def append(self, customer: str, cents: int | None) -> None:
        self.logs[partition_of(customer, PARTITIONS)].append(Record(customer, cents))

    def apply(self, customer: str) -> None:
        """The next record of the customer's partition is applied, and acknowledged."""
        partition = partition_of(customer, PARTITIONS)
        offset = self.applied[partition]
        if offset == len(self.logs[partition]):
            return
        who, cents = self.logs[partition][offset]
        if cents is None:
            self.store.delta_rows.pop(who, None)
        self.store.put_delta(who, offset, delta(None if cents is None else order(cents), entity_id=f"o{offset}"))
        self.applied[partition] = offset + 1

    def beat(self, customer: str) -> None:
        """The progress of the customer's partition is written."""
        partition = partition_of(customer, PARTITIONS)
        self.store.progress_rows[partition] = progress(self.applied[partition], end_offset=len(self.logs[partition]))

    def publish(self) -> None:
        """A batch of all of the log, ahead of the speed layer or not."""
        self.batches += 1
        ends = {partition: len(records) for partition, records in self.logs.items()}
        slot = SLOTS[self.batches % 3]
        for customer in CUSTOMERS:
            found = self.fold(customer, ends[partition_of(customer, PARTITIONS)])
            if found is not None:
                self.store.put_state(customer, contribution(order(found)) if found else State({}), self.batches, slot)
        done = published(self.batches, 0, slot)
        self.store.pointer = pointing_at(replace(done, plan=replace(done.plan, cut=Cut.of(ends))))

    def fold(self, customer: str, below: int) -> int | None:
        """The cents below an offset, or none where nothing is known of the customer."""
        total: int | None = None
        for record in self.logs[partition_of(customer, PARTITIONS)][:below]:
            if record.customer == customer:
                total = None if record.cents is None else (total or 0) + record.cents
        return total

    async def check(self) -> None:
        """Both readers are right, and the one by a kept pin claims no more than the other."""
        before = self.store.calls.count("pin")
        quick = await self.by_a_kept_pin.of(CUSTOMERS, AS_OF)
        self.quick += self.store.calls.count("pin") == before
        full = await self.by_its_own.of(CUSTOMERS, AS_OF)
        for one, other in zip(quick, full, strict=True):
            self._is_right(one)
            self._is_right(other)
            assert one.provenance.log.next_offset <= other.provenance.log.next_offset

    def _is_right(self, answer: Answer) -> None:
        """It is the fold below the offset that it names, and below all that is applied: it is as fresh as can be."""
        named = answer.provenance.log
        for below in (named.next_offset, max(named.next_offset, self.applied[named.partition])):
            cents = self.fold(answer.customer_id, below)
            assert answer.known is (cents is not None), (answer, cents)
            if cents is not None:
                assert answer.metrics["total_revenue"] == f"{cents // 100}.{cents % 100:02}"
        cut = answer.provenance.batch.cut.get(named.partition, 0) if answer.provenance.batch else 0
        assert named.next_offset <= max(self.applied[named.partition], cut), "no answer claims more than it holds"


customers = st.sampled_from(CUSTOMERS)
steps = st.one_of(
    st.tuples(st.just("append"), customers, st.integers(0, 9_999)),
    st.tuples(st.just("append"), customers, st.none()),
    st.tuples(st.just("apply"), customers),
    st.tuples(st.just("apply"), customers),
    st.tuples(st.just("beat"), customers),
    st.tuples(st.just("publish")),
    st.tuples(st.just("renew")),
    st.tuples(st.just("check")),
)


async def _run(story: list[tuple[object, ...]]) -> World:
    world = World()
    await world.pins.renew()
    for name, *values in story:
        if name == "renew":
            await world.pins.renew()
        elif name == "check":
            await world.check()
        else:
            getattr(world, str(name))(*values)
    await world.check()
    return world


@given(st.lists(steps, max_size=40))
def test_both_readers_give_the_fold_below_the_offset_they_name_and_miss_nothing_that_was_applied(
    story: list[tuple[object, ...]],
) -> None:
    asyncio.run(_run(story))


def test_the_law_sees_answers_by_a_kept_pin() -> None:
    """Where progress is newer than all that was applied, and after a batch that the pin does not know."""
    story: list[tuple[object, ...]] = [
        *(("append", customer, 100) for customer in CUSTOMERS),
        *(("apply", customer) for customer in CUSTOMERS * 3),
        *(("beat", customer) for customer in CUSTOMERS),
        ("renew",),
        ("publish",),
        ("check",),
    ]

    assert asyncio.run(_run(story)).quick == 2
