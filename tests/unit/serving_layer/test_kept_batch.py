"""`?batch=ID`: what was known then, by one kept batch alone (R17, R20, R24)."""

from typing import Any

import msgspec
import pytest

from common.algebra.marks import MARK_OFFSET, Mark, encode_mark
from common.algebra.pointer import Loss, Pointer
from common.log.partition import partition_of
from serving_layer.answer.provenance import Release
from serving_layer.read.reading import PIN_ATTEMPTS
from serving_layer.read.store import SlotRow
from tests.support.serving_fakes import (
    NOW,
    PARTITIONS,
    RELEASE,
    MemoryViewStore,
    Shared,
    delta,
    order,
    progress,
    published,
)

ADA = partition_of("ada", PARTITIONS)


def kept() -> MemoryViewStore:
    """Batch 1 knew 10.00, batch 2 (current) knows 20.00, and a delta since makes it 25.00."""
    store = MemoryViewStore(Pointer(2, 2, (published(1, 3, "a"), published(2, 5, "b"))))
    store.put_order("ada", 1000, 1, "a")
    store.put_order("ada", 2000, 2, "b")
    store.put_delta("ada", 6, delta(order(500), entity_id="o2"))
    return store


def asked(store: MemoryViewStore, batch: object) -> Any:
    return Shared.over(store).get(f"/v1/customers/ada/metrics?batch={batch}").json()


def test_a_kept_batch_answers_alone_as_it_was_known_then() -> None:
    store = kept()

    assert Shared.over(store).metrics().json()["metrics"]["total_revenue"] == "25.00"
    for batch, revenue, cut in ((1, "10.00", 3), (2, "20.00", 5)):
        found = asked(store, batch)
        assert found["metrics"]["total_revenue"] == revenue
        assert found["provenance"]["batch"]["id"] == batch
        assert found["provenance"]["log"] == {"partition": ADA, "next_offset": cut}
        assert found["provenance"]["speed"] == {"deltas": 0, "behind_records": None, "behind_seconds": None}
        assert found["provenance"]["status"] == "exact"


def test_a_speed_layer_that_is_away_does_not_degrade_what_it_is_not_in() -> None:
    store = kept()
    store.progress_rows = {ADA: progress(beat_at=NOW - 10**9)}
    assert asked(store, 1)["provenance"]["status"] == "exact"


@pytest.mark.parametrize("batch", [3, 10**30])
def test_a_batch_that_no_slot_holds_is_a_404_that_names_those_that_are(batch: int) -> None:
    found = asked(kept(), batch)
    assert (found["status"], found["type"]) == (404, "urn:lambda360:problem:unknown-batch")
    assert "the batches in slots: 1, 2" in found["detail"]


@pytest.mark.parametrize("batch", ["0", "-1", "x", ""])
def test_what_is_no_batch_is_refused(batch: str) -> None:
    assert (asked(kept(), batch)["status"], asked(kept(), batch)["field"]) == (422, "batch")


def test_r24_who_was_erased_since_is_unknown_in_every_batch() -> None:
    store = kept()
    store.put_reset("ada", 4)
    assert asked(store, 1)["status"] == 404
    assert asked(store, 2)["metrics"]["total_revenue"] == "20.00", "the erasure is below its cut: absorbed"


def test_r20_a_slot_that_is_reused_meanwhile_is_never_mixed() -> None:
    store = kept()
    store.slots["a"]["ada"] = SlotRow(4, store.slots["a"]["ada"].state)
    assert asked(store, 1)["status"] == 503
    assert store.calls.count("pin") == PIN_ATTEMPTS

    store.slots["a"]["ada"] = SlotRow(0, store.slots["a"]["ada"].state)
    assert asked(store, 1)["status"] == 404, "an older batch's row counts as absent"


def test_r22_what_is_wrong_with_the_batch_itself_degrades_it_by_name() -> None:
    store = kept()
    mark = encode_mark(Mark(accepted_drift=2, classes=("wrong fact",)))
    store.delta_rows["ada"].append((MARK_OFFSET, mark))
    old = published(1, 3, "a", Release("old", RELEASE.validation_version))
    losses = (Loss(ADA, 0, 2, 1), Loss(ADA, 4, 9, 1))
    store.pointer = msgspec.structs.replace(store.pointer, complete=(old, store.pointer.complete[1]), losses=losses)

    assert asked(store, 1)["provenance"]["reason_names"] == ["logic_version", "accepted_drift", "lost_records"]
    assert asked(store, 2)["provenance"]["reason_names"] == ["accepted_drift", "lost_records", "lost_records"]


def test_r22_a_cell_of_another_release_has_no_values_and_says_so() -> None:
    store = kept()
    store.slots["a"]["ada"] = SlotRow(1, "{}")
    found = asked(store, 1)
    assert set(found["metrics"].values()) == {None}
    assert found["provenance"]["reason_names"] == ["unreadable_cell"]
