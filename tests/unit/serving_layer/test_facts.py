"""A customer's facts as a list: bounded, resumable, past erasures (R10, R24), and with where each came from."""

import pytest

from common.algebra.facts import Fact, Image, Origin
from common.algebra.payloads import MarketingEvent, Payload, Refund, Retracted, SupportTicket
from common.algebra.profile import CustomerProfile
from common.log.partition import partition_of
from common.log.position import Position
from serving_layer.answer import facts
from tests.support.deltas import changed
from tests.support.serving_fakes import NOW, PARTITIONS, MemoryTopics, MemoryViewStore, Shared, delta, order, progress

ADA = partition_of("ada", PARTITIONS)
DAY = 86_400_000_000


def store_with(**entities: Payload) -> MemoryViewStore:
    """A customer `ada` with these facts, each from the next record of the log."""
    store = MemoryViewStore()
    store.put_delta("ada", 0, delta(order()))
    for offset, (entity_id, payload) in enumerate(entities.items(), start=1):
        store.put_fact("ada", entity_id, Fact(offset, None, Image(19_900 * DAY, payload)))
    return store


def asked(store: MemoryViewStore, query: str = "", topics: MemoryTopics | None = None) -> dict:  # type: ignore[type-arg] # JSON
    api = Shared.over(store)
    if topics is not None:
        api.topics = topics
    found: dict = api.get(f"/v1/customers/ada/facts{query}").json()  # type: ignore[type-arg] # JSON
    return found


def pages(store: MemoryViewStore, query: str) -> list[str]:
    """The entity ids of all pages, in order."""
    found = asked(store, query)
    ids = [each["entity_id"] for each in found["items"]]
    while found["next_cursor"] is not None:
        found = asked(store, f"{query}&cursor={found['next_cursor']}")
        ids += [each["entity_id"] for each in found["items"]]
    return ids


def test_facts_of_every_kind_are_the_newest_first_by_their_own_date() -> None:
    store = store_with(
        o1=order(1000, day=19_900),
        r1=Refund("o1", 19_903 * DAY, 400),
        t1=SupportTicket("billing", "high", 19_901 * DAY, None, None),
        e1=MarketingEvent("email_open", 19_902 * DAY, "spring"),
        ada=CustomerProfile(None, None, "GB", None),
    )

    found = asked(store)

    assert [each["kind"] for each in found["items"]] == [
        "refund", "marketing_event", "support_ticket", "customer_profile", "order",
    ]  # fmt: skip
    assert (found["order"], found["next_cursor"], found["customer_id"]) == ("newest_first", None, "ada")
    assert found["items"][0] == {
        "kind": "refund",
        "entity_id": "r1",
        "happened_at": "2024-06-29T00:00:00Z",
        "updated_at": "2024-06-26T00:00:00Z",
        "retracted": False,
        "changed": False,
        "payload": {"order_id": "o1", "refunded_at": "2024-06-29", "amount": "4.00"},
        "before": None,
        "position": f"{ADA}:2",
        "origin": None,
    }
    assert found["provenance"]["status"] == "exact"


def test_r5b_a_retracted_fact_says_so_and_what_it_was() -> None:
    store = store_with()
    before = Image(1, order(1000, day=19_900))
    store.put_fact("ada", "o1", Fact(5, before, Image(2, Retracted("order"))))

    (found,) = asked(store)["items"]

    assert (found["retracted"], found["changed"], found["payload"]) == (True, True, None)
    assert found["before"] == {"order_date": "2024-06-26", "amount": "10.00", "status": "completed"}
    assert found["happened_at"] == "2024-06-26T00:00:00Z"


def test_pages_give_every_fact_once_whatever_their_size() -> None:
    store = store_with(**{f"o{number}": order(day=19_900 - number % 3) for number in range(17)})
    whole = [each["entity_id"] for each in asked(store, "?limit=100")["items"]]

    assert len(set(whole)) == 17
    for size in (1, 4, 16, 17):
        assert pages(store, f"?limit={size}") == whole


def test_a_customer_of_too_many_facts_to_sort_gets_them_by_kind_and_id_in_bounded_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(facts, "SORTED", 5)
    store = store_with(**{f"o{number}": order(day=19_900 - number) for number in range(8)})
    reads: list[int] = []
    read = store.facts

    async def counted(*arguments: object) -> object:
        rows = await read(*arguments)  # type: ignore[arg-type] # passed on as they are
        reads.append(len(rows))
        return rows

    monkeypatch.setattr(store, "facts", counted)

    assert asked(store, "?limit=3")["order"] == "by_kind_and_id"
    assert pages(store, "?limit=3") == [f"o{number}" for number in range(8)]
    assert max(reads) <= 6


def test_a_sorted_list_that_outgrew_sorting_is_refused_and_not_reordered(monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_with(**{f"o{number}": order(day=19_900 - number) for number in range(4)})
    cursor = asked(store, "?limit=2")["next_cursor"]
    monkeypatch.setattr(facts, "SORTED", 3)

    found = asked(store, f"?limit=2&cursor={cursor}")

    assert (found["status"], found["field"]) == (422, "cursor")


def test_a_kind_or_its_alias_chooses_and_another_word_is_refused() -> None:
    store = store_with(o1=order(), t1=SupportTicket("billing", "high", 19_901 * DAY, None, None))

    assert [each["entity_id"] for each in asked(store, "?kind=order")["items"]] == ["o1"]
    assert [each["entity_id"] for each in asked(store, "?kind=ticket")["items"]] == ["t1"]
    assert asked(store, "?kind=refund")["items"] == []
    assert (asked(store, "?kind=tickets")["status"], asked(store, "?kind=tickets")["field"]) == (422, "kind")


def test_r24_facts_below_an_erasure_are_absent_though_a_replica_still_has_them() -> None:
    store = store_with(o1=order(), o2=order())
    store.put_reset("ada", 1)
    store.put_delta("ada", 2, delta(order(), entity_id="o2"))

    assert [each["entity_id"] for each in asked(store)["items"]] == ["o2"]


def test_the_origin_is_the_deltas_and_the_logs_where_that_has_expired() -> None:
    """Only what no delta says is asked of Kafka, and what neither says is null."""
    store = store_with(o1=order(day=19_903), o2=order(day=19_902), o3=order(day=19_901))
    store.delta_rows["ada"] = []
    csv, api = Origin("file:///data/a.csv", 4), Origin("urn:shop")
    store.put_delta("ada", 1, changed("o1", None, Image(1, order()), NOW, csv))
    topics = MemoryTopics({Position(ADA, 2): api})

    found = asked(store, topics=topics)["items"]

    assert [each["origin"] for each in found] == [
        {"source": csv.source, "file": "/data/a.csv", "row": 4},
        {"source": "urn:shop", "file": None, "row": None},
        None,
    ]
    assert topics.asked == [[Position(ADA, 2), Position(ADA, 3)]]


def test_r22_a_fact_of_another_release_is_left_out_and_degrades_the_page_by_name() -> None:
    store = store_with(o1=order())
    store.fact_rows["ada"]["order", "o2"] = '{"offset": 3}'

    found = asked(store)

    assert [each["entity_id"] for each in found["items"]] == ["o1"]
    assert found["provenance"]["reason_names"] == ["unreadable_cell"]


def test_r22_progress_is_read_before_the_facts() -> None:
    store = store_with(o1=order())
    asked(store)
    assert store.calls.index("progress") < store.calls.index("facts")


def test_the_page_says_how_far_the_speed_layer_is_behind() -> None:
    store = store_with(o1=order())
    store.progress_rows[ADA] = progress(beat_at=NOW - 120_000_000)
    assert asked(store)["provenance"]["reason_names"] == ["silent"]
    assert asked(store, "?require=exact")["status"] == 503


def test_an_unknown_customer_is_a_404() -> None:
    assert asked(MemoryViewStore())["status"] == 404
