"""R20, R22: a request by a kept pin makes two reads, and reads everything itself where the pin cannot vouch."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec
import pytest

from common.algebra.facts import Delta
from common.algebra.marks import MARK_OFFSET, Mark, encode_mark
from common.algebra.pointer import Loss, Pointer
from common.errors import StoreUnavailable
from common.log.partition import partition_of
from common.settings import ServingSettings
from serving_layer.read.pins import ATTEMPTS, KeptPin, PinKeeper
from serving_layer.read.quick import quick_read
from serving_layer.read.reading import Reading
from serving_layer.read.store import DeltaRow, SlotRow, StatementRefused
from tests.support.serving_fakes import PARTITIONS, MemoryViewStore, delta, order, pointing_at, progress, published

ADA = partition_of("ada", PARTITIONS)
LIMITS = ServingSettings(pin_max_age_seconds=2.0, pin_interval_seconds=0.5)
QUICK = ["deltas", "slot_rows"]


@dataclass
class Scene:
    """A store with one customer of each layer, a keeper of pins, and the keeper's clock."""

    store: MemoryViewStore = field(default_factory=lambda: MemoryViewStore(pointing_at(published(batch_id=3, cut=10))))
    now: float = 1000.0
    away: bool = False

    def __post_init__(self) -> None:
        self.store.put_order("ada", 1000, batch_id=3)
        self.pins = PinKeeper(self._source, LIMITS, lambda: self.now)

    def _source(self) -> MemoryViewStore:
        if self.away:
            raise StoreUnavailable("away")
        return self.store

    def renewed(self) -> KeptPin:
        kept = asyncio.run(self.pins.renew())
        self.store.calls.clear()
        return kept

    def at_the_second_read(self, happens: Callable[[], None]) -> None:
        """Something happens right before a request reads deltas for the second time."""

        def happen(read: str) -> None:
            if read == "deltas" and self.store.calls.count("deltas") == 1:
                happens()

        self.store.on_read = happen

    def read(self, kept: KeptPin, *customers: str) -> Reading | None:
        return asyncio.run(quick_read(self.store, kept, customers or ("ada",)))


def test_two_reads_are_left_and_what_is_below_progress_is_answered() -> None:
    scene = Scene()
    scene.store.put_delta("ada", 99, delta(order(500), entity_id="o2"))

    found = scene.read(scene.renewed())

    assert sorted(scene.store.calls) == QUICK
    assert found is not None
    assert [offset for offset, _ in found.deltas["ada"]] == [99]
    assert found.rows["ada"].batch_id == 3


def test_the_reads_of_several_partitions_are_one_of_the_slot_and_one_of_deltas_for_each() -> None:
    scene = Scene()
    customers = [f"c{number}" for number in range(40)]

    assert scene.read(scene.renewed(), *customers) is not None
    assert sorted(scene.store.calls) == ["deltas"] * PARTITIONS + ["slot_rows"]


@pytest.mark.parametrize("change", [delta(order(500), entity_id="o2"), delta(None)], ids=["a delta", "a reset"])
@pytest.mark.parametrize("offset", [100, 105])
def test_a_delta_at_or_above_progress_is_read_again_with_what_the_pin_stands_on(change: Delta, offset: int) -> None:
    """It may be torn, or decided by a validation version that the pin does not know (R11, R12)."""
    scene = Scene()
    scene.store.put_delta("ada", 99, delta(order(300), entity_id="o1"))
    kept = scene.renewed()
    scene.store.put_delta("ada", offset, change)

    found = scene.read(kept)

    assert found is not None
    assert {at for at, _ in found.deltas["ada"]} >= {offset}
    assert found.progress == kept.progress
    assert sorted(scene.store.calls) == sorted([*QUICK, "deltas", "pin", "progress"])
    scene.store.calls.clear()
    assert scene.read(kept, "bob") is not None
    assert sorted(scene.store.calls) == QUICK


def test_of_many_customers_only_those_above_progress_are_read_again() -> None:
    scene = Scene()
    kept = scene.renewed()
    scene.store.put_delta("bob", 7, delta(order(300), entity_id="o1"))
    scene.store.put_delta("ada", 100, delta(order(500), entity_id="o2"))

    asked: list[tuple[str, ...]] = []
    deltas = scene.store.deltas

    async def noted(generation: int, customers: Collection[str], cut: int) -> Mapping[str, Sequence[DeltaRow]]:
        asked.append(tuple(customers))
        return await deltas(generation, customers, cut)

    scene.store.deltas = noted  # type: ignore[method-assign] # it asks the same and notes it
    assert scene.read(kept, "bob", "ada", "cy") is not None
    assert asked[-1] == ("ada",)
    assert sum("ada" in customers for customers in asked) == 2


O2, O3 = delta(order(500), entity_id="o2"), delta(order(700), entity_id="o3")
MARKED = MARK_OFFSET, encode_mark(Mark(accepted_drift=3, classes=("missing delta",)))


def _published(scene: Scene) -> None:
    scene.store.pointer = pointing_at(published(batch_id=4, cut=90, slot="b"))


def _lost(scene: Scene) -> None:
    loss = Loss(partition=ADA, from_offset=98, to_offset=100, accepted_at=1)
    scene.store.pointer = msgspec.structs.replace(scene.store.pointer, losses=(loss,))


def _rebuilt(scene: Scene) -> None:
    scene.store.pointer = msgspec.structs.replace(scene.store.pointer, generation=2)


def _other_version(scene: Scene) -> None:
    row = scene.store.progress_rows[ADA]
    scene.store.progress_rows[ADA] = replace(row, validation_version=f"{row.validation_version},another")


def _forgotten(scene: Scene) -> None:
    del scene.store.progress_rows[ADA]


def _erased(scene: Scene) -> None:
    scene.store.put_delta("ada", 120, delta(None))


def _marked(scene: Scene) -> None:
    scene.store.delta_rows["ada"] = [*scene.store.delta_rows["ada"], MARKED]


@pytest.mark.parametrize(
    "happens",
    [_published, _lost, _rebuilt, _other_version, _forgotten, _erased, _marked],
    ids=lambda each: each.__name__,
)
def test_what_changed_since_the_pin_was_taken_sends_a_delta_above_it_to_a_new_pin(
    happens: Callable[[Scene], None],
) -> None:
    """R11, R12, R13, R15, R18: it stood there before that delta, so it is read after it."""
    scene = Scene()
    kept = scene.renewed()
    scene.store.put_delta("ada", 100, O2)
    scene.at_the_second_read(lambda: happens(scene))

    assert scene.read(kept) is None


def test_r22_a_torn_read_is_settled_and_what_the_second_read_has_above_the_first_is_left_out() -> None:
    scene = Scene()
    kept = scene.renewed()
    scene.store.put_delta("ada", 105, O3)

    def write() -> None:
        scene.store.put_delta("ada", 101, O2)
        scene.store.put_delta("ada", 110, delta(order(900), entity_id="o4"))

    scene.at_the_second_read(write)
    found = scene.read(kept)

    assert found is not None
    assert sorted(offset for offset, _ in found.deltas["ada"]) == [101, 105]


@pytest.mark.parametrize("read", ["deltas", "pin", "progress"])
def test_a_statement_that_is_refused_the_second_time_is_pinned_past_and_a_store_that_is_away_is_not(read: str) -> None:
    scene = Scene()
    kept = scene.renewed()
    scene.store.put_delta("ada", 100, O2)
    errors: list[StoreUnavailable] = []

    def fail(name: str) -> None:
        if name == read and scene.store.calls.count("deltas") and errors:
            raise errors[0]

    scene.store.on_read = fail
    errors.append(StatementRefused("dropped"))
    assert scene.read(kept) is None
    errors[:] = [StoreUnavailable("away")]
    scene.store.calls.clear()
    with pytest.raises(StoreUnavailable, match="away"):
        scene.read(kept)


def test_a_cut_ahead_of_the_speed_layer_is_what_the_pin_vouches_for() -> None:
    """R21, R22: the greater of cut and progress."""
    scene = Scene(MemoryViewStore(pointing_at(published(batch_id=3, cut=200))))
    kept = scene.renewed()
    scene.store.put_delta("ada", 150, delta(order(500), entity_id="o2"))
    assert scene.read(kept) is not None

    scene.store.calls.clear()
    scene.store.put_delta("ada", 200, O3)
    assert scene.read(kept) is not None
    assert scene.store.calls.count("deltas") == 2


def test_r20_a_row_of_a_newer_batch_is_read_with_everything_else_and_one_of_an_older_counts_as_absent() -> None:
    scene = Scene()
    kept = scene.renewed()
    scene.store.put_order("ada", 1, batch_id=2)
    found = scene.read(kept)
    assert found is not None
    assert found.rows == {}

    scene.store.put_order("ada", 1, batch_id=4)
    assert scene.read(kept) is None


def test_r20_an_old_pointer_with_its_own_cut_is_answered_from_its_own_slot() -> None:
    scene = Scene()
    kept = scene.renewed()
    scene.store.pointer = pointing_at(published(batch_id=4, cut=90, slot="b"))

    found = scene.read(kept)

    assert found is not None
    assert (found.pin.pointer.current, found.rows["ada"].batch_id) == (3, 3)


def test_r18_a_customer_with_a_mark_is_read_with_everything_else() -> None:
    scene = Scene()
    kept = scene.renewed()
    scene.store.delta_rows["ada"] = [(MARK_OFFSET, encode_mark(Mark(accepted_drift=3, classes=("missing delta",))))]

    assert scene.read(kept) is None


@pytest.mark.parametrize(
    ("error", "is_answered"), [(StatementRefused("dropped"), False), (StoreUnavailable("no"), True)]
)
def test_r13_a_dropped_generation_is_pinned_past_and_a_store_that_is_away_is_not_asked_again(
    error: StoreUnavailable, is_answered: bool
) -> None:
    scene = Scene()
    kept = scene.renewed()

    def fail(read: str) -> None:
        if read == "deltas":
            raise error

    scene.store.on_read = fail
    if not is_answered:
        assert scene.read(kept) is None
    else:
        with pytest.raises(StoreUnavailable, match="no"):
            scene.read(kept)


def test_a_pin_is_young_up_to_its_bound_and_a_process_that_was_suspended_has_none() -> None:
    scene = Scene()
    assert scene.pins.young() is None
    kept = scene.renewed()

    scene.now += 2.0
    assert scene.pins.young() is kept
    scene.now += 0.001
    assert scene.pins.young() is None


def test_the_age_of_a_pin_counts_from_before_its_first_read() -> None:
    scene = Scene()

    def slow(read: str) -> None:
        scene.now += 1.5

    scene.store.on_read = slow
    scene.renewed()
    assert scene.pins.young() is None, "progress took 1.5 s, and the pointer as long"


def test_a_renewal_that_fails_leaves_the_last_pin_until_it_is_too_old() -> None:
    scene = Scene()
    kept = scene.renewed()
    scene.away = True

    with pytest.raises(StoreUnavailable):
        scene.renewed()
    assert scene.pins.young() is kept
    scene.now += 2.1
    assert scene.pins.young() is None


def test_the_keeper_goes_on_after_failures_and_defects() -> None:
    scene = Scene()
    failures: list[Exception] = [StoreUnavailable("away"), ZeroDivisionError()]

    def fail(read: str) -> None:
        if read == "pin" and failures:
            raise failures.pop(0)

    scene.store.on_read = fail
    pins = PinKeeper(scene._source, LIMITS.model_copy(update={"pin_interval_seconds": 0.0}), lambda: scene.now)

    async def run() -> None:
        keeping = asyncio.create_task(pins.keep())
        for _ in range(100):
            await asyncio.sleep(0)
        keeping.cancel()

    asyncio.run(run())
    assert pins.young() is not None


@pytest.mark.parametrize("at", ["progress", "pin"])
def test_r13_progress_is_of_the_generation_that_the_pointer_names(at: str) -> None:
    scene = Scene()
    scene.renewed()
    moved = msgspec.structs.replace(scene.store.pointer, generation=2)

    def move(read: str) -> None:
        if read == at:
            scene.store.pointer = moved

    scene.store.on_read = move
    scene.store.generations.clear()

    kept = asyncio.run(scene.pins.renew())

    assert kept.pin.pointer == moved
    assert scene.store.generations[-1] == 2


def test_r13_a_generation_that_moves_all_the_time_is_no_pin() -> None:
    scene = Scene()
    scene.renewed()

    def move(read: str) -> None:
        if read == "pin":
            scene.store.pointer = msgspec.structs.replace(
                scene.store.pointer, generation=scene.store.pointer.generation + 1
            )

    scene.store.on_read = move
    with pytest.raises(StoreUnavailable, match=f"after each of {ATTEMPTS}"):
        scene.renewed()


@pytest.mark.parametrize("step", range(4))
def test_r15_no_pin_has_progress_behind_a_loss_that_its_pointer_lacks(step: int) -> None:
    """Whichever read is under way when the loss is accepted, and after which a worker passes the gap."""
    scene = Scene(MemoryViewStore(Pointer(), progress_rows=dict.fromkeys(range(PARTITIONS), progress(20))))
    reads = iter(range(100))
    lost = Loss(partition=ADA, from_offset=20, to_offset=30, accepted_at=1)

    def happen(_: str) -> None:
        if next(reads) == step:
            scene.store.pointer = Pointer(losses=(lost,))
            scene.store.progress_rows[ADA] = progress(40)

    scene.store.on_read = happen
    kept = asyncio.run(scene.pins.renew())

    assert kept.progress[ADA].next_offset == 20 or kept.pin.pointer.losses == (lost,)


def test_an_unknown_partition_of_progress_claims_the_cut_alone() -> None:
    scene = Scene()
    scene.store.progress_rows.clear()
    kept = scene.renewed()
    assert scene.read(kept) is not None

    scene.store.calls.clear()
    scene.store.put_delta("ada", 10, O2)
    assert scene.read(kept) is not None
    assert scene.store.calls.count("deltas") == 2


class _Apart(MemoryViewStore):
    """The slot's read ends when that of the deltas has begun, and both fail where `error` is set."""

    def __init__(self, error: Exception | None) -> None:
        super().__init__(pointing_at(published(batch_id=3, cut=10)))
        self.error, self.begun, self.given_up = error, asyncio.Event(), False

    async def slot_rows(self, slot: str, customers: Collection[str]) -> Mapping[str, SlotRow]:
        await asyncio.wait_for(self.begun.wait(), 5)
        if self.error is not None:
            raise self.error
        return await super().slot_rows(slot, customers)

    async def deltas(self, generation: int, customers: Collection[str], cut: int) -> Mapping[str, Sequence[DeltaRow]]:
        self.begun.set()
        if self.error is not None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.given_up = True
                raise
        return await super().deltas(generation, customers, cut)


def test_both_layers_are_read_at_once() -> None:
    store = _Apart(None)

    async def story() -> Reading | None:
        return await quick_read(store, await PinKeeper(lambda: store, LIMITS).renew(), ["ada"])

    assert asyncio.run(story()) is not None


def test_where_one_read_fails_nobody_waits_for_the_other() -> None:
    store = _Apart(StoreUnavailable("away"))

    async def story() -> None:
        with pytest.raises(StoreUnavailable):
            await quick_read(store, await PinKeeper(lambda: store, LIMITS).renew(), ["ada"])
        await asyncio.sleep(0)

    asyncio.run(story())
    assert store.given_up
