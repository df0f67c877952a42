"""What an explanation and the catalogue say, over a store in memory (R9, R22)."""

from itertools import pairwise

from common.algebra.definitions import DEFINITIONS
from common.algebra.facts import Delta, Image, Origin
from common.algebra.metrics import METRICS
from common.algebra.payloads import Retracted
from common.log.partition import partition_of
from serving_layer.answer import explained
from tests.support.deltas import changed
from tests.support.serving_fakes import NOW, PARTITIONS, MemoryViewStore, Shared, delta, order, pointing_at, published

ADA = partition_of("ada", PARTITIONS)


def explain(store: MemoryViewStore, as_of: str = "2024-06-30") -> dict:  # type: ignore[type-arg] # JSON
    response = Shared.over(store).get(f"/v1/customers/ada/explain?as_of={as_of}")
    assert response.status_code == 200, response.text
    found: dict = response.json()  # type: ignore[type-arg] # JSON
    return found


def test_a_change_is_shown_as_people_read_it_with_its_share_and_its_origin() -> None:
    """R9: the value of a delta is its images' difference, by measure and day."""
    store = MemoryViewStore(pointing_at(published(batch_id=3, cut=5)))
    store.put_order("ada", 1000, batch_id=3)
    origin = Origin("file:///data/orders%202024.csv", 7)
    before, after = Image(1, order(1000)), Image(2, order(1250, day=19_901))
    store.put_delta("ada", 5, changed("o1", before, after, NOW, origin))

    found = explain(store)

    assert found["deltas"] == [
        {
            "position": f"{ADA}:5",
            "partition": ADA,
            "offset": 5,
            "recorded_at": "2024-06-30T12:00:00Z",
            "kind": "order",
            "entity_id": "o1",
            "happened": "changed",
            "changes": {"order_date": ["2024-06-26", "2024-06-27"], "amount": ["10.00", "12.50"]},
            "contribution": [
                {"measure": "order_count", "day": "2024-06-26", "amount": -1},
                {"measure": "revenue", "day": "2024-06-26", "amount": "-10.00"},
                {"measure": "order_count", "day": "2024-06-27", "amount": 1},
                {"measure": "revenue", "day": "2024-06-27", "amount": "12.50"},
            ],
            "origin": {"source": origin.source, "file": "/data/orders 2024.csv", "row": 7},
        }
    ]
    revenue = next(each for each in found["measures"] if each["measure"] == "revenue")
    assert revenue == {"measure": "revenue", "unit": "money", "batch": "10.00", "deltas": "2.50", "sum": "12.50"}
    assert (found["batch"]["included"], found["batch"]["metrics"]["total_revenue"]) == (True, "10.00")
    assert found["batch"]["info"]["id"] == 3


def test_sums_are_of_the_days_up_to_as_of_and_a_share_of_a_later_day_is_listed_all_the_same() -> None:
    """R6: `as_of` selects days from today's knowledge."""
    store = MemoryViewStore(pointing_at(published(cut=5)))
    store.put_order("ada", 1000)
    store.put_delta("ada", 6, changed("o2", None, Image(1, order(500, day=19_903)), NOW))

    found = explain(store, as_of="2024-06-28")

    revenue = next(each for each in found["measures"] if each["measure"] == "revenue")
    assert (revenue["batch"], revenue["deltas"], revenue["sum"]) == ("10.00", "0.00", "10.00")
    assert found["deltas"][0]["contribution"][1]["amount"] == "5.00"


def test_what_happened_is_named_for_every_kind_of_change() -> None:
    store = MemoryViewStore()
    images = [None, Image(1, order(500)), Image(2, order(600)), Image(3, Retracted("order")), Image(4, order(700))]
    for offset, (before, after) in enumerate(pairwise(images)):
        assert after is not None
        store.put_delta("ada", offset, changed("o1", before, after, NOW))

    found = explain(store)

    assert [each["happened"] for each in found["deltas"]] == ["new", "changed", "taken back", "brought back"]
    assert found["deltas"][2]["changes"] == {
        "order_date": ["2024-06-26", None],
        "amount": ["6.00", None],
        "status": ["completed", None],
    }
    assert found["batch"] is None


def test_r24_an_erasure_forgets_the_batchs_part_and_is_shown() -> None:
    store = MemoryViewStore(pointing_at(published(cut=5)))
    store.put_order("ada", 1000)
    store.put_delta("ada", 6, delta(order(100)))
    store.put_delta("ada", 7, delta(None))
    store.put_delta("ada", 9, delta(order(300), entity_id="o9"))

    found = explain(store)

    assert [(each["happened"], each["offset"]) for each in found["deltas"]] == [("erased", 7), ("new", 9)]
    assert (found["batch"]["included"], found["batch"]["metrics"]) == (False, None)
    assert found["metrics"]["total_revenue"] == "3.00"


def test_a_delta_of_an_older_release_has_its_kind_by_its_image_and_no_origin() -> None:
    store = MemoryViewStore()
    image = Image(1, order(500))
    store.put_delta("ada", 3, Delta(entity_id="o1", before=None, after=image, appended_at=NOW))

    (found,) = explain(store)["deltas"]

    assert (found["kind"], found["origin"]) == ("order", None)


def test_of_many_deltas_the_newest_are_listed_and_all_are_summed() -> None:
    store = MemoryViewStore()
    for offset in range(explained.MOST_DELTAS + 5):
        store.put_delta("ada", offset, delta(order(100), entity_id=f"o{offset}"))

    found = explain(store)

    assert (len(found["deltas"]), found["deltas_left_out"]) == (explained.MOST_DELTAS, 5)
    assert found["deltas"][0]["offset"] == 5
    assert found["metrics"]["order_count"] == explained.MOST_DELTAS + 5


def test_a_cell_of_another_release_leaves_no_parts_and_a_named_reason() -> None:
    """R22: a short sum never looks like a good one."""
    store = MemoryViewStore(pointing_at(published()))
    store.put_order("ada")
    store.delta_rows["ada"] = [(7, "{}")]

    found = explain(store)

    assert (found["batch"], found["deltas"], found["measures"]) == (None, [], [])
    assert found["provenance"]["reason_names"] == ["unreadable_cell"]


def test_an_unknown_customer_has_no_explanation() -> None:
    assert Shared.over(MemoryViewStore()).get("/v1/customers/nobody/explain").status_code == 404


def test_every_metric_has_one_definition_which_explanation_and_catalogue_give() -> None:
    store = MemoryViewStore()
    store.put_delta("ada", 0, delta(order()))

    catalogue = Shared.over(store).get("/v1/metrics").json()

    assert list(DEFINITIONS) == [metric.name for metric in METRICS]
    assert catalogue["items"] == [
        {
            "name": each.name,
            "unit": each.unit,
            "definition": DEFINITIONS[each.name],
            "formula": each.rule,
            "rankable": each.ranked,
        }
        for each in METRICS
    ]
    assert explain(store)["formulas"] == [
        {"metric": each["name"], **{name: each[name] for name in ("unit", "definition", "formula")}}
        for each in catalogue["items"]
    ]
