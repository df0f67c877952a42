"""R20, R22, R23 and the shapes of answers, over a store in memory."""

from dataclasses import replace
from datetime import date

import msgspec
import pytest
from pydantic import TypeAdapter

from common.algebra.facts import encode
from common.algebra.losses import Range, declare_sent
from common.algebra.marks import MARK_OFFSET, Mark, encode_mark
from common.algebra.metrics import METRICS, present
from common.algebra.pointer import Loss, Pointer
from common.algebra.state import State
from common.log.partition import partition_of
from common.log.texts import CUSTOMER_ID_RULE
from serving_layer.answer.provenance import Release
from serving_layer.read.reading import PIN_ATTEMPTS
from serving_layer.read.store import SlotRow
from serving_layer.schemas.answers import BatchGetResults, CustomerMetrics
from tests.support.serving_fakes import (
    PARTITIONS,
    RELEASE,
    Api,
    MemoryViewStore,
    delta,
    order,
    pointing_at,
    progress,
    published,
)

ADA = partition_of("ada", PARTITIONS)


def test_an_answer_merges_both_layers_and_names_where_it_comes_from() -> None:
    """R22: the shape of issue and architecture, metrics in the table's order."""
    store = MemoryViewStore(pointing_at(published(batch_id=3, cut=17)))
    store.put_order("ada", 1000, batch_id=3)
    store.put_delta("ada", 16, delta(order(99_999), entity_id="absorbed"))
    store.put_delta("ada", 17, delta(order(500), entity_id="o2"))
    store.put_delta("ada", 25, delta(order(2000), order(1000)))
    store.progress_rows[ADA] = progress(20, end_offset=22)
    answer = Api.over(store).metrics().json()
    assert answer["metrics"]["total_revenue"] == "25.00"
    assert list(answer["metrics"]) == [metric.name for metric in METRICS]
    assert (answer["customer_id"], answer["as_of"]) == ("ada", "2024-06-30")
    assert answer["provenance"] == {
        "status": "exact",
        "reasons": [],
        "reason_names": [],
        "batch": {
            "id": 3,
            "published_at": "2024-06-30T11:00:00Z",
            "cut": {"0": 17, "1": 17, "2": 17, "3": 17},
            "logic_version": RELEASE.logic_version,
        },
        "speed": {"deltas": 2, "behind_records": 2, "behind_seconds": 0.0},
        "log": {"partition": ADA, "next_offset": 26},
    }


@pytest.mark.parametrize(("cut", "reached", "last", "named"), [(30, 20, 25, 30), (0, 40, 25, 40), (10, 20, 25, 26)])
def test_the_offset_named_is_the_greatest_of_cut_progress_and_last_delta(
    cut: int, reached: int, last: int, named: int
) -> None:
    """R22."""
    store = MemoryViewStore(pointing_at(published(cut=cut)))
    store.put_order("ada")
    store.put_delta("ada", last, delta(order()))
    store.progress_rows[ADA] = progress(reached)
    assert Api.over(store).metrics().json()["provenance"]["log"]["next_offset"] == named


def test_progress_is_read_before_the_deltas_and_the_pointer_before_everything() -> None:
    """R22: what progress names is then in the deltas."""
    store = MemoryViewStore(pointing_at(published()))
    store.put_order("ada")
    Api.over(store).metrics()
    assert store.calls[0] == "pin"
    assert store.calls.index("progress") < store.calls.index("deltas")


def test_r13_a_request_reads_the_speed_tables_of_the_generation_that_it_pinned() -> None:
    """R20: a switch in the middle of the request changes nothing of it; the next request is of the new generation."""
    pinned = msgspec.structs.replace(pointing_at(published(cut=10)), generation=2)
    store = MemoryViewStore(pinned)
    store.put_order("ada")
    store.put_delta("ada", 120, delta(order(500), entity_id="o2"))

    def switch(step: str) -> None:
        if step == "progress":
            store.pointer = msgspec.structs.replace(pinned, generation=3)

    store.on_read = switch

    for generation in (2, 3):
        store.generations.clear()
        assert Api.over(store).metrics().json()["provenance"]["speed"]["deltas"] == 1
        assert store.generations == [generation] * 3, "progress, deltas, and the last one's customer again"


def test_r15_a_loss_degrades_its_partition_by_name_until_it_is_declared_sent_again() -> None:
    """But for customers that were erased after it; and whether or not a batch has absorbed range and erasure."""
    lost = Loss(partition=ADA, from_offset=20, to_offset=30, accepted_at=1)
    for cut in (10, 25, 90):
        store = MemoryViewStore(msgspec.structs.replace(pointing_at(published(cut=cut)), losses=(lost,)))
        store.put_order("ada")
        (reason,) = Api.over(store).metrics().json()["provenance"]["reasons"]
        assert reason == (
            f"records 20 to 29 of partition {ADA} were lost, and are not yet declared as sent again "
            f"(`lambda360 speed declare-sent {ADA}:20:30`)"
        )
        assert Api.over(store).metrics().json()["metrics"]["total_revenue"] == "10.00"

        store.put_delta("ada", 30, delta(None))
        store.put_delta("ada", 95, delta(order(700), entity_id="o2"))
        answer = Api.over(store).metrics().json()
        assert (answer["provenance"]["status"], answer["metrics"]["total_revenue"]) == (
            "exact",
            "17.00" if cut == 90 else "7.00",
        )

        store.delta_rows.clear()
        store.put_delta("ada", 29, delta(None))
        assert Api.over(store).metrics().json()["provenance"]["status"] == "degraded", "the erasure itself is in it"
        store.pointer = declare_sent(store.pointer, Range.of(lost))
        store.delta_rows.clear()
        assert Api.over(store).metrics().json()["provenance"]["status"] == "exact"


def test_r15_a_loss_degrades_no_other_partition() -> None:
    lost = Loss(partition=(ADA + 1) % PARTITIONS, from_offset=20, to_offset=30, accepted_at=1)
    store = MemoryViewStore(msgspec.structs.replace(pointing_at(published()), losses=(lost,)))
    store.put_order("ada")

    assert Api.over(store).metrics().json()["provenance"]["status"] == "exact"


def test_without_a_pointer_the_cut_is_zero_and_no_slot_is_read() -> None:
    """R20."""
    store = MemoryViewStore()
    store.put_order("ada", 99_999)
    store.put_delta("ada", 0, delta(order(500)))
    answer = Api.over(store).metrics().json()
    assert answer["metrics"]["total_revenue"] == "5.00"
    assert answer["provenance"]["batch"] is None
    assert answer["provenance"]["status"] == "exact"
    assert "slot_rows" not in store.calls


def test_a_row_of_an_older_batch_counts_as_absent() -> None:
    """R20: the customer was in an earlier batch of that slot and is not in this one."""
    store = MemoryViewStore(pointing_at(published(batch_id=4)))
    store.put_order("ada", batch_id=1)
    assert Api.over(store).metrics().status_code == 404


def test_a_row_of_a_newer_batch_makes_the_request_pin_again() -> None:
    """R20: and then everything is read under the new pin."""
    store = MemoryViewStore(pointing_at(published(batch_id=1, slot="a")))
    store.put_order("ada", 99_999, batch_id=4, slot="a")
    store.put_order("ada", 1000, batch_id=3, slot="c")
    moves = iter([Pointer(), None])

    def publish(read: str) -> None:
        if read == "slot_rows" and next(moves, None) is not None:
            store.pointer = pointing_at(published(batch_id=3, slot="c"))

    store.on_read = publish
    answer = Api.over(store).metrics().json()
    assert (answer["provenance"]["batch"]["id"], answer["metrics"]["total_revenue"]) == (3, "10.00")
    assert store.calls.count("pin") == 2


def test_a_slot_reused_under_every_pin_is_a_503() -> None:
    """R20: never a mixture."""
    store = MemoryViewStore(pointing_at(published(batch_id=1)))
    store.put_order("ada", batch_id=2)
    response = Api.over(store).metrics()
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert store.calls.count("pin") == PIN_ATTEMPTS


def test_one_pin_answers_all_customers_of_a_request() -> None:
    """R20: and progress is read once, before any delta, however many partitions are asked for."""
    store = MemoryViewStore(pointing_at(published()))
    customers = [f"c{number}" for number in range(120)]
    for customer in customers:
        store.put_order(customer)
    results = Api.over(store).batch_get(*customers).json()["results"]
    assert [result["customer_id"] for result in results] == customers
    assert store.calls.count("pin") == store.calls.count("progress") == 1
    assert store.calls.index("progress") < store.calls.index("deltas")


def test_the_answer_does_not_move_when_a_batch_lands_or_is_rolled_back() -> None:
    """R23."""
    store = MemoryViewStore()
    changes = [(0, delta(order(1000))), (3, delta(order(2000), order(1000))), (5, delta(order(7), entity_id="o2"))]
    for offset, change in changes:
        store.put_delta("ada", offset, change)
    store.put_order("ada", 1000, batch_id=1, slot="a")
    store.put_order("ada", 2000, batch_id=2, slot="b")
    api = Api.over(store)
    seen = [api.metrics().json()["metrics"]]
    for batch in (published(1, 3, "a"), published(2, 5, "b"), published(1, 3, "a")):
        store.pointer = pointing_at(batch)
        seen.append(api.metrics().json()["metrics"])
    assert seen[0]["total_revenue"] == "20.07"
    assert all(metrics == seen[0] for metrics in seen)


def test_a_reset_in_the_deltas_forgets_the_batch_row() -> None:
    """R24: and the provenance says that no batch row was used."""
    store = MemoryViewStore(pointing_at(published(cut=5)))
    store.put_order("ada", 1000)
    store.put_delta("ada", 5, delta(None))
    store.put_delta("ada", 8, delta(order(300)))
    answer = Api.over(store).metrics().json()
    assert answer["metrics"]["total_revenue"] == "3.00"
    store.delta_rows["ada"].pop()
    assert Api.over(store).metrics().status_code == 404


def test_a_known_customer_with_a_zero_state_answers_zeros_and_nulls() -> None:
    store = MemoryViewStore(pointing_at(published()))
    store.put_state("ada", State({}))
    assert Api.over(store).metrics().json()["metrics"] == present(State({}), date(2024, 6, 30))


def test_an_unknown_customer_is_a_404_that_says_how_complete_the_views_are() -> None:
    response = Api.over(MemoryViewStore(progress_rows={})).metrics("nobody")
    problem = response.json()
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")
    assert problem["customer_id"] == "nobody"
    assert problem["provenance"]["status"] == "degraded"
    assert "never ran" in problem["provenance"]["reasons"][0]


def test_one_wrong_id_fails_alone_and_order_and_repeats_are_kept() -> None:
    store = MemoryViewStore()
    store.put_delta("ada", 0, delta(order()))
    long = "x" * 300
    results = Api.over(store).batch_get("ada", "", "nobody", long, "ada", "a/b").json()["results"]
    assert [result["customer_id"] for result in results] == ["ada", "", "nobody", long, "ada", "a/b"]
    assert [result["status"] for result in results] == ["ok", "error", "unknown", "error", "ok", "error"]
    assert results[0] == results[4]
    assert set(results[0]) == {"customer_id", "status", "metrics", "profile", "provenance"}
    assert (results[2]["metrics"], results[2]["provenance"]["status"]) == (None, "exact")
    assert results[1]["error"]["rule"] == CUSTOMER_ID_RULE
    assert results[1]["provenance"] is None


def test_no_ids_give_no_results_and_too_many_are_refused() -> None:
    api = Api.over(MemoryViewStore(), batch_get_max=3)
    assert api.batch_get().json() == {"as_of": "2024-06-30", "results": []}
    assert api.batch_get("a", "b", "c").status_code == 200
    problem = api.batch_get("a", "b", "c", "d").json()
    assert (problem["status"], problem["field"], problem["rule"]) == (422, "customer_ids", "at most 3 at once")


def test_what_is_encoded_is_what_openapi_promises() -> None:
    store = MemoryViewStore(pointing_at(published()))
    store.put_order("ada")
    one = Api.over(store).metrics()
    TypeAdapter(CustomerMetrics).validate_json(one.content)
    many = Api.over(store).batch_get("ada", "nobody", "")
    TypeAdapter(BatchGetResults).validate_json(many.content)
    declared = Api.over(store).get("/openapi.json").json()["components"]["schemas"]
    assert set(declared["CustomerMetrics"]["properties"]) == set(one.json())
    assert set(declared["Provenance"]["properties"]) == set(one.json()["provenance"])
    assert list(declared["CustomerMetrics"]["properties"]["metrics"]["properties"]) == list(one.json()["metrics"])


def test_a_row_of_other_measures_has_no_values_and_says_so() -> None:
    """R22: numbers that mean something else are neither shown nor a crash."""
    store = MemoryViewStore(pointing_at(published(release=Release("other", RELEASE.validation_version))))
    store.slots["a"] = {"ada": SlotRow(1, '{"days":{"19900":[1,1000]},"profile":null}')}
    store.put_order("ben")
    ada, ben = Api.over(store).batch_get("ada", "ben").json()["results"]
    assert (ada["status"], ada["provenance"]["status"], set(ada["metrics"].values())) == ("ok", "degraded", {None})
    assert ada["provenance"]["reasons"] == [
        f"logic_version of batch 1 is other, of this release {RELEASE.logic_version}",
        "the customer's row of batch 1 is of 2 measures, this release has 11",
    ]
    assert (ben["provenance"]["status"], ben["metrics"]["total_revenue"]) == ("degraded", "10.00")


@pytest.mark.parametrize("cell", ["", "{", '{"19900": "x"}', '{"day": [1]}'])
def test_a_row_that_is_no_state_degrades_that_customer_alone(cell: str) -> None:
    store = MemoryViewStore(pointing_at(published()))
    store.slots["a"] = {"ada": SlotRow(1, cell)}
    store.put_order("ben")
    ada, ben = Api.over(store).batch_get("ada", "ben").json()["results"]
    assert (ada["provenance"]["status"], set(ada["metrics"].values())) == ("degraded", {None})
    assert "the customer's row of batch 1 cannot be read" in ada["provenance"]["reasons"][0]
    assert ben["provenance"]["status"] == "exact"


def test_a_delta_that_cannot_be_read_degrades_that_customer() -> None:
    store = MemoryViewStore()
    unreadable = msgspec.json.decode(encode(delta(order())))
    unreadable["after"]["payload"]["kind"] = "return"
    store.delta_rows["ada"] = [(7, msgspec.json.encode(unreadable).decode())]
    answer = Api.over(store).metrics().json()
    assert (answer["provenance"]["status"], set(answer["metrics"].values())) == ("degraded", {None})
    assert answer["provenance"]["reasons"][0].startswith("the delta at offset 7 cannot be read")


@pytest.mark.parametrize("known", [True, False])
def test_r18_a_mark_of_accepted_drift_degrades_that_customer_by_name_in_one_read(known: bool) -> None:
    """R20, R22: it counts as no delta, moves no offset, and takes no read of its own."""
    store = MemoryViewStore(progress_rows=dict.fromkeys(range(PARTITIONS), progress(20)))
    mark = encode_mark(Mark(accepted_drift=7, classes=("missing delta", "wrong fact")))
    if known:
        store.put_delta("ada", 3, delta(order(500)))
    store.delta_rows.setdefault("ada", []).append((MARK_OFFSET, mark))

    answer = Api.over(store).metrics().json()

    provenance = answer["provenance"]
    assert provenance["reasons"] == [
        "accepted drift: the audit of batch 7 found missing delta and wrong fact; the speed tables must be rebuilt"
    ]
    assert (provenance["status"], provenance["log"]["next_offset"]) == ("degraded", 20)
    assert provenance["speed"]["deltas"] == int(known)
    assert ("metrics" in answer) is known
    assert sorted(store.calls) == ["deltas", "pin", "progress"]


def test_r18_a_mark_of_another_release_degrades_too() -> None:
    store = MemoryViewStore()
    store.put_delta("ada", 3, delta(order(500)))
    store.delta_rows["ada"].append((MARK_OFFSET, '{"accepted":true}'))

    answer = Api.over(store).metrics().json()

    assert answer["metrics"]["total_revenue"] == "5.00"
    assert answer["provenance"]["reasons"][0].startswith("accepted drift: the mark is another release's")


def test_a_degraded_partition_degrades_its_customers_only() -> None:
    store = MemoryViewStore()
    store.progress_rows[ADA] = replace(progress(), validation_version="other")
    customers = ["ada", *(f"c{number}" for number in range(20))]
    for customer in customers:
        store.put_delta(customer, 0, delta(order()))
    for result in Api.over(store).batch_get(*customers).json()["results"]:
        expected = "degraded" if partition_of(result["customer_id"], PARTITIONS) == ADA else "exact"
        assert result["provenance"]["status"] == expected
