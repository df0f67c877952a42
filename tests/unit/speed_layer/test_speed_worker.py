"""R12 and R14 in a worker's step: what advances a lane, and what does not."""

import asyncio
from collections.abc import Sequence
from random import Random

import pytest

from common.algebra.facts import Delta, encode
from common.errors import StoreUnavailable
from common.log.copies import Copy
from common.log.partition import partition_of
from infra.proof.oracle import RawRecord
from speed_layer.apply.cache import FactCache
from speed_layer.apply.dead_letter import DeadLetter
from speed_layer.apply.delivered import Delivered
from speed_layer.apply.lanes import Lane, Lanes
from speed_layer.apply.pipeline import innermost
from speed_layer.apply.rows import Mutation, Reset
from speed_layer.apply.worker import Ports, Step, Terms, Worker
from tests.support.builders import Log, Message, order, random_log
from tests.support.cycles import no_cycles
from tests.support.speed_fakes import ALERTS, RULES, AwayFactStore, MemoryFactStore, fold, placed, start


class Scene:
    """A worker on a memory store; `letters` are what reached the errors topic."""

    def __init__(self, store: MemoryFactStore | None = None, partitions: int = 4) -> None:
        self.store, self.lanes, self.letters = store or MemoryFactStore(), Lanes(), list[DeadLetter]()
        self.copies = list[Copy]()
        self.ports = Ports(
            store=self.store,
            cache=FactCache(100),
            lanes=self.lanes,
            messages_of=messages_of,
            publish=self.copy,
            publish_rejected=self.publish,
        )
        self.worker = Worker(Terms("log", partitions, RULES, ALERTS), self.ports)

    async def copy(self, copies: Sequence[Copy]) -> None:
        self.copies.extend(copies)

    async def publish(self, letters: Sequence[DeadLetter]) -> None:
        self.letters.extend(letters)

    def send(self, records: Sequence[RawRecord]) -> list[Delivered]:
        return [delivered(self.lane(record.partition), record) for record in records]

    def lane(self, partition: int) -> Lane:
        return self.lanes.get(partition) or self.lanes.open(partition, start(0))


async def messages_of(copies: Sequence[Copy]) -> Sequence[Copy]:
    """A copy stands for its message."""
    return copies


def delivered(lane: Lane, record: RawRecord) -> Delivered:
    (link,) = lane.send([(record.offset, 1)])
    return Delivered(record.offset, record.key, record.value, record.appended_at, link)


@pytest.mark.parametrize("seed", range(3))
def test_a_log_with_poison_and_gaps_is_applied_and_every_rejected_record_published(seed: int) -> None:
    """R14: rejection passes a record by, and nothing else does."""
    log, scene = random_log(seed), Scene()
    asyncio.run(scene.worker.process(scene.send(log.records)))
    assert scene.store.live() == fold(placed(log.records))
    valid = sum(len(records) for records in placed(log.records).values())
    assert len(scene.letters) == len(log.records) - valid > 0
    last = {record.partition: record.offset for record in log.records}
    assert {lane.partition: lane.next_offset for lane in scene.lanes.all()} == {p: at + 1 for p, at in last.items()}


def test_no_record_leaves_anything_to_the_search_for_cycles() -> None:
    """A rejection that was kept with its traceback kept all of its micro-batch."""
    scene = Scene()

    async def apply_all(log: Log) -> None:
        scene.lanes.close()
        for at in range(0, len(log.records), 50):
            await scene.worker.process(scene.send(log.records[at : at + 50]))
            scene.letters.clear()
            scene.copies.clear()

    async def twice() -> None:
        await apply_all(random_log(6))
        with no_cycles(most=50):  # a cache or two are filled
            await apply_all(random_log(7, 1_500))

    asyncio.run(twice())
    assert scene.worker.counts["dead"] > 50


def test_a_record_of_an_older_assignment_is_passed_over() -> None:
    log, scene = Log(partitions=1), Scene(partitions=1)
    (record,) = log.append(order())
    stale = scene.send([record])
    scene.lanes.close()
    lane = scene.lanes.open(0, start(0))
    asyncio.run(scene.worker.process(stale))
    assert (scene.store.live(), lane.next_offset) == ({}, 0)
    asyncio.run(scene.worker.process([delivered(lane, record)]))
    assert lane.next_offset == 1


def test_a_lost_record_closes_the_lane_and_nothing_after_it_is_applied() -> None:
    """R12: Faust may drop a record; the partition is then read again from what was applied."""
    log, scene = Log(partitions=1), Scene(partitions=1)
    first, _, third = scene.send(log.append(order("a", "o1"), order("b", "o2"), order("c", "o3")))
    lane = first.link.lane
    asyncio.run(scene.worker.process([first, third]))
    assert (lane.next_offset, scene.lanes.all()) == (1, [])
    assert {key[1] for key in scene.store.live()} == {"a"}


def test_a_batch_that_outlives_its_assignment_does_not_move_the_next_one() -> None:
    """R12: it is applied, which harms nobody, and says so to a lane that nobody asks."""
    log = Log(partitions=1)

    class Revoking(MemoryFactStore):
        async def put(self, customer_id: str, mutation: object) -> None:
            scene.lanes.close()
            scene.lanes.open(0, start(0))

    scene = Scene(Revoking(), partitions=1)
    asyncio.run(scene.worker.process(scene.send(log.append(order()))))
    assert [lane.next_offset for lane in scene.lanes.all()] == [0]


def test_an_unknown_failure_moves_no_lane() -> None:
    """R14: anything but a rejection stops the partition."""
    log, store = Log(partitions=1), AwayFactStore()
    scene = Scene(store, partitions=1)
    store.away = True
    with pytest.raises(ExceptionGroup):
        asyncio.run(scene.worker.process(scene.send(log.append(order("a"), Message(b"x", b"no json")))))
    assert [lane.next_offset for lane in scene.lanes.all()] == [0]


def test_dates_beyond_the_append_time_are_counted() -> None:
    log, scene = Log(), Scene()
    asyncio.run(scene.worker.process(scene.send(log.append(order("a", order_date="2030-01-01"), order("b")))))
    assert scene.worker.future_dated == 1


def test_customers_of_a_batch_are_applied_side_by_side() -> None:
    """So many of them share a statement; the store bounds the statements."""
    under_way, most = 0, 0

    class Counting(MemoryFactStore):
        async def put(self, customer_id: str, mutation: object) -> None:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1

    log, scene = Log(), Scene(Counting())
    asyncio.run(scene.worker.process(scene.send(log.append(*(order(f"c{i}") for i in range(40))))))
    assert most == 40


@pytest.mark.parametrize("seed", range(6))
def test_micro_batches_that_are_applied_side_by_side_leave_what_one_after_the_other_would(seed: int) -> None:
    """R10: a customer's records are applied in offset order, however many micro-batches hold them."""
    log, random = random_log(seed), Random(seed)
    scene = Scene(MemoryFactStore(random))

    async def story() -> None:
        records, steps = scene.send(log.records), list[asyncio.Task[Step]]()
        while records:
            size = random.randint(1, 8)
            steps.append(asyncio.create_task(scene.worker.apply(records[:size])))
            del records[:size]
        for step in steps:
            await scene.worker.publish([await step])

    asyncio.run(story())
    assert scene.store.live() == fold(placed(log.records))
    written = {customer: list[int]() for customer, _ in scene.store.writes}
    for customer, mutation in scene.store.writes:
        written[customer] += [change.offset for change in ((mutation,) if isinstance(mutation, Reset) else mutation)]
    assert all(offsets == sorted(offsets) for offsets in written.values())
    counts = scene.worker.counts
    assert counts["received"] == sum(counts.values()) - counts["received"] == len(log.records)


@pytest.mark.parametrize("ends", ["fails", "is cancelled"])
def test_nothing_follows_a_customers_records_that_were_not_applied(ends: str) -> None:
    """R10, R14: the later micro-batch fails, too, though it could have been written."""

    class Held(MemoryFactStore):
        async def put(self, customer_id: str, mutation: Mutation) -> None:
            await waiting[-1]
            await super().put(customer_id, mutation)

    async def story() -> None:
        loop = asyncio.get_running_loop()
        waiting.append(loop.create_future())
        first, second = scene.send(log.append(order("ada", "o1"), order("ada", "o2")))
        earlier = asyncio.create_task(scene.worker.apply([first]))
        later = asyncio.create_task(scene.worker.apply([second]))
        await asyncio.sleep(0)
        if ends == "fails":
            waiting[-1].set_exception(StoreUnavailable("away"))
        else:
            earlier.cancel()
        await asyncio.wait([earlier])
        waiting.append(loop.create_future())
        waiting[-1].set_result(None)
        with pytest.raises(ExceptionGroup) as failed:
            await later
        assert str(innermost(failed.value)) == "the customer's records before these were not applied"
        assert earlier.cancelled() or earlier.exception() is not None

    waiting = list[asyncio.Future[None]]()
    log, scene = Log(partitions=1), Scene(Held(), partitions=1)
    asyncio.run(story())
    assert scene.store.writes == []


def test_a_delta_remembers_the_append_time_and_no_clock() -> None:
    """R11."""
    log, scene = Log(), Scene()
    (record,) = log.append(order("ada"))
    asyncio.run(scene.worker.process(scene.send([record])))
    ((change,),) = [mutation for _, mutation in scene.store.writes if isinstance(mutation, tuple)]
    assert isinstance(change.delta, Delta)
    assert change.delta.appended_at == record.appended_at
    assert partition_of("ada", 4) == record.partition


def test_every_change_is_published_with_its_alerts_in_the_logs_order() -> None:
    """R14."""
    log, scene = random_log(4), Scene()
    asyncio.run(scene.worker.process(scene.send(log.records)))
    stored = {tuple(key[1:3]): value for key, (value, _) in fold(placed(log.records)).items() if key[0] == "deltas"}
    copied = {(copy.customer_id, str(copy.position.offset)): encode(copy.delta) for copy in scene.copies}
    assert stored.items() <= copied.items()
    positions = [copy.position for copy in scene.copies]
    assert positions == sorted(set(positions))


def test_what_is_met_again_is_published_again_from_its_row_with_the_same_id() -> None:
    """R14: applied by a worker that died before it had published; the record is skipped, or rewritten, and copied."""
    log, store = random_log(5), MemoryFactStore()
    first, second = Scene(store), Scene(store)
    asyncio.run(first.worker.process(first.send(log.records)))
    asyncio.run(second.worker.process(second.send(log.records)))
    erased = {copy.customer_id: copy.position.offset for copy in first.copies if copy.delta.is_reset}
    left = [copy for copy in first.copies if copy.position.offset >= erased.get(copy.customer_id, 0)]
    assert second.copies == left
    assert any(copy.alerts for copy in left)
    assert second.worker.counts["applied"] == 0


def test_the_lanes_wait_for_what_is_published() -> None:
    """R12, R14: a crash in between loses no copy."""
    log, scene, release = Log(partitions=1), Scene(partitions=1), asyncio.Event()

    async def held(copies: Sequence[Copy]) -> None:
        await release.wait()

    scene.ports.publish = held

    async def story() -> None:
        work = asyncio.create_task(scene.worker.process(scene.send(log.append(order()))))
        while not scene.store.writes:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert [lane.next_offset for lane in scene.lanes.all()] == [0]
        release.set()
        await work
        assert [lane.next_offset for lane in scene.lanes.all()] == [1]

    asyncio.run(story())


def test_every_record_received_counts_once() -> None:
    """received = applied + repeated + stale + dead, and those met again in a replay."""
    log, scene = random_log(6), Scene()
    asyncio.run(scene.worker.process(scene.send(log.records)))
    counts = scene.worker.counts
    assert counts["received"] == len(log.records)
    assert counts["received"] == sum(counts[name] for name in ("applied", "repeated", "stale", "dead", "again"))
    assert min(counts[name] for name in ("applied", "repeated", "stale", "dead")) > 0
    assert counts["again"] == 0
