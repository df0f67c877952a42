"""R9, R10, R11 and R24 in the speed layer: what is written for any log, cut into micro-batches in any way."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random

import pytest

from common.algebra.facts import Fact, Image
from common.algebra.payloads import Refund
from common.errors import StoreUnavailable
from speed_layer.apply.cache import FactCache
from speed_layer.apply.decide import Applied, apply, mutations
from speed_layer.apply.known import EVERY_KIND, Known
from speed_layer.apply.rows import Placed, Reset
from tests.support.builders import Log, erasure, order, random_log, ticket
from tests.support.speed_fakes import ALERTS, AwayFactStore, MemoryFactStore, apply_one, fold, placed

SEEDS = range(12)


async def run_worker(
    store: MemoryFactStore, customers: dict[str, list[Placed]], random: Random, start: int = 0
) -> None:
    """Apply every customer's records at or above `start`, in micro-batches of random sizes, in groups side by side."""
    cache = FactCache(customers=random.randint(1, 6))

    async def one(group: Sequence[str]) -> None:
        left = {name: [record for record in customers[name] if record.offset >= start] for name in group}
        while left := {name: records for name, records in left.items() if records}:
            sizes = {name: random.randint(1, 20) for name in left}
            await apply(store, cache, {name: records[: sizes[name]] for name, records in left.items()}, ALERTS)
            left = {name: records[sizes[name] :] for name, records in left.items()}
            if random.random() < 0.1:
                cache.clear()

    await asyncio.gather(*map(one, store.groups(customers)))


@pytest.mark.parametrize("seed", SEEDS)
def test_any_log_in_any_micro_batches_leaves_the_cells_of_the_fold(seed: int) -> None:
    """R4, R9, R24."""
    customers, store = placed(random_log(seed).records), MemoryFactStore()
    asyncio.run(run_worker(store, customers, Random(seed)))
    assert store.live() == fold(customers)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_replay_from_any_offset_changes_neither_value_nor_timestamp(seed: int) -> None:
    """R10: a record below the stored fact is skipped, one at it is rewritten as it was."""
    customers, store, random = placed(random_log(seed).records), MemoryFactStore(), Random(seed)
    asyncio.run(run_worker(store, customers, random))
    before = store.live()
    for _ in range(3):
        asyncio.run(run_worker(store, customers, random, start=random.randrange(80)))
    assert store.live() == before


@pytest.mark.parametrize("seed", SEEDS)
def test_several_workers_on_the_same_records_write_what_one_would(seed: int) -> None:
    """R10: a zombie beside its replacements, all from below what is applied, with writes that time out, done or not."""
    customers, random = placed(random_log(seed).records), Random(seed)
    store, applied = MemoryFactStore(random, unreliable=0.3), random.randrange(60)
    below = {name: [record for record in records if record.offset < applied] for name, records in customers.items()}

    async def scene() -> None:
        await run_worker(store, below, Random(seed))
        starts = [random.randint(0, applied) for _ in range(3)]
        await asyncio.gather(*(run_worker(store, customers, Random(seed + start), start) for start in starts))

    asyncio.run(scene())
    assert store.live() == fold(customers)


def test_a_mutation_holds_at_most_one_record_of_an_entity_and_a_reset_is_one_of_its_own() -> None:
    """R10, R24."""
    log = Log()
    log.append(order(order_id="o1"), order(order_id="o2"), ticket(), order(order_id="o1", updated_at="2024-06-09"))
    log.append(erasure(), order(order_id="o1"))
    found = list(mutations(placed(log.records)["ada"], Known(complete=EVERY_KIND), ALERTS, Applied()))
    shape = ["reset" if isinstance(m, Reset) else [change.entity[1] for change in m] for m in found]
    assert shape == [["o1", "o2", "t1"], ["o1"], "reset", ["o1"]]


def test_the_next_mutation_waits_until_the_last_is_acknowledged() -> None:
    """R10."""
    log, order_of = Log(), []

    class Slow(MemoryFactStore):
        async def put(self, customer_id: str, mutation: object) -> None:
            order_of.append("begin")
            await asyncio.sleep(0)
            order_of.append("end")

    log.append(order(), order(updated_at="2024-06-09"), order(updated_at="2024-06-10"))
    asyncio.run(apply_one(Slow(), FactCache(9), "ada", placed(log.records)["ada"]))
    assert order_of == ["begin", "end"] * 3


def test_a_repeat_and_a_stale_version_write_nothing() -> None:
    """R4, R9."""
    log, store = Log(), MemoryFactStore()
    log.append(order(updated_at="2024-06-09"), order(updated_at="2024-06-09"), order(updated_at="2024-06-08"))
    asyncio.run(apply_one(store, FactCache(9), "ada", placed(log.records)["ada"]))
    assert len(store.writes) == 1


def test_below_a_reset_nothing_is_written_and_nothing_counts() -> None:
    """R24: also where a late write of an older worker still lies in the table."""
    log = Log()
    log.append(order("ada", "o1"), order("ada", "o2"), erasure("ada"), order("ada", "o1"))
    records = placed(log.records)["ada"]
    late = Fact(0, None, Image(9_999_999_999_999_999, Refund("o1", 1, 1)))
    known = Known(2, {("order", "o1"): late}, complete=EVERY_KIND)
    assert known.current(("order", "o1")) is None
    reset, change = mutations(records, known, ALERTS, Applied())
    assert isinstance(reset, Reset)
    assert isinstance(change, tuple)
    assert (reset.offset, change[0].fact.offset, change[0].fact.before) == (2, 3, None)


def test_a_failed_write_forgets_the_customer() -> None:
    """R12: the cache never holds what may not be stored."""
    log, store, cache = Log(), AwayFactStore(), FactCache(9)
    log.append(order("ada", "o1"), order("ada", "o2"))
    first, second = placed(log.records)["ada"]
    asyncio.run(apply_one(store, cache, "ada", [first]))
    assert len(cache) == 1
    store.away = True
    with pytest.raises(StoreUnavailable):
        asyncio.run(apply_one(store, cache, "ada", [second]))
    assert len(cache) == 0


def test_what_was_out_when_the_cache_was_emptied_is_not_taken_back() -> None:
    """R12: a partition that went to another worker and came back is read anew, also by a batch that was under way."""
    log, store, cache = Log(), MemoryFactStore(), FactCache(9)
    versions = [order(updated_at=f"2024-06-0{day}") for day in range(1, 5)]
    log.append(*versions)
    records = placed(log.records)["ada"]

    async def revoked_meanwhile(then: Callable[[], Awaitable[object]]) -> None:
        known, token = cache.take("ada")
        await then()
        cache.clear()
        cache.put("ada", known or Known(), token)

    async def scene() -> None:
        await apply_one(store, cache, "ada", records[:1])
        await revoked_meanwhile(lambda: apply_one(store, FactCache(9), "ada", records[1:3]))
        await apply_one(store, cache, "ada", records[3:])

    asyncio.run(scene())
    assert store.live() == fold({"ada": records})


def test_the_cache_spares_reads_and_stays_within_its_bound() -> None:
    log, store, cache = Log(), MemoryFactStore(), FactCache(customers=2)
    log.append(*(order(customer, updated_at=f"2024-06-0{day}") for day in (1, 2) for customer in ("a", "b", "c")))
    customers = placed(log.records)
    for name in ("a", "b", "c"):
        asyncio.run(apply_one(store, cache, name, customers[name][:1]))
    assert (len(cache), store.reads) == (2, 3)
    asyncio.run(apply_one(store, cache, "c", customers["c"][1:]))
    assert store.reads == 3
    asyncio.run(apply_one(store, cache, "a", customers["a"][1:]))
    assert store.reads == 4


def test_the_cache_stays_within_its_facts_and_forgets_whom_it_met_first() -> None:
    cache = FactCache(customers=9, facts=5)

    def known(count: int) -> Known:
        return Known(facts={("order", f"o{number}"): None for number in range(count)})

    for name, count in (("a", 2), ("b", 3), ("c", 1)):
        cache.put(name, known(count), 0)
    assert (cache.take("a")[0], len(cache)) == (None, 2)
    cache.put("b", known(4), cache.take("b")[1])
    assert len(cache) == 2
    cache.put("d", known(1), 0)
    assert (cache.take("c")[0], len(cache)) == (None, 2)
