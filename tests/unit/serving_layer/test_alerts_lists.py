"""Alerts of a customer and of everybody: bounded, resumable, and without those of erased customers (R24)."""

import pytest

from common.algebra.alerts import CustomerAtRisk, LargeRefund, TicketEvidence
from common.algebra.facts import Image
from common.errors import LogError, LogUnavailable
from common.log.copies import Copy, alert_event
from common.log.copy_events import AlertEvent, decode_alert_event
from common.log.partition import partition_of
from common.log.position import Position
from serving_layer.read.details import AlertRow
from tests.support.deltas import changed
from tests.support.serving_fakes import NOW, PARTITIONS, MemoryTopics, MemoryViewStore, Shared, order

ADA = partition_of("ada", PARTITIONS)
RISK = CustomerAtRisk(
    occurred_at=NOW,
    entity_id="t3",
    action="proactive_outreach",
    reason="3 tickets in 30 days, 1 high priority",
    tickets_30d=3,
    high_priority_tickets_30d=1,
    tickets=(TicketEvidence("t3", 19_904, "high"),),
)
REFUND = LargeRefund(NOW + 1_000_000, "r1", "o1", 99_900, 50_000)


def events(*customers: str) -> list[AlertEvent]:
    """A published refund of each, from the oldest on."""
    copies = [
        Copy(
            Position(partition_of(customer, PARTITIONS), offset),
            customer,
            changed("r1", None, Image(1, order()), NOW),
            (REFUND,),
        )
        for offset, customer in enumerate(customers)
    ]
    return [decode_alert_event(alert_event(copy, REFUND)) for copy in copies]


def get(store: MemoryViewStore, url: str, topics: MemoryTopics | None = None) -> dict:  # type: ignore[type-arg] # JSON
    api = Shared.over(store)
    if topics is not None:
        api.topics = topics
    found: dict = api.get(url).json()  # type: ignore[type-arg] # JSON
    return found


def test_a_customers_alerts_are_the_last_raised_first_with_their_evidence() -> None:
    store = MemoryViewStore()
    store.put_alert("ada", 7, RISK)
    store.put_alert("ada", 9, REFUND)

    found = get(store, "/v1/customers/ada/alerts")

    assert found == {
        "items": [
            {
                "id": f"{ADA}:9:large_refund",
                "rule": "large_refund",
                "customer_id": "ada",
                "at": "2024-06-30T12:00:01Z",
                "position": f"{ADA}:9",
                "evidence": {"entity_id": "r1", "order_id": "o1", "amount": "999.00", "threshold": "500.00"},
                "recommended_action": None,
            },
            {
                "id": f"{ADA}:7:customer_at_risk",
                "rule": "customer_at_risk",
                "customer_id": "ada",
                "at": "2024-06-30T12:00:00Z",
                "position": f"{ADA}:7",
                "evidence": {
                    "entity_id": "t3",
                    "reason": "3 tickets in 30 days, 1 high priority",
                    "tickets_30d": 3,
                    "high_priority_tickets_30d": 1,
                    "tickets": [{"ticket_id": "t3", "day": "2024-06-30", "priority": "high"}],
                },
                "recommended_action": "proactive_outreach",
            },
        ],
        "next_cursor": None,
    }


def test_pages_give_every_alert_once_also_two_of_one_record() -> None:
    store = MemoryViewStore()
    for offset in range(5):
        store.put_alert("ada", offset, RISK)
        store.put_alert("ada", offset, REFUND)
    whole = [each["id"] for each in get(store, "/v1/customers/ada/alerts")["items"]]
    assert len(set(whole)) == 10

    for size in (1, 3, 10):
        ids: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = get(store, f"/v1/customers/ada/alerts?limit={size}" + (f"&cursor={cursor}" if cursor else ""))
            ids += [each["id"] for each in page["items"]]
            cursor = page["next_cursor"]
        assert ids == whole


def test_r24_alerts_below_an_erasure_are_left_out() -> None:
    store = MemoryViewStore()
    store.put_alert("ada", 7, RISK)
    store.put_alert("ada", 9, REFUND)
    store.put_reset("ada", 8)

    assert [each["rule"] for each in get(store, "/v1/customers/ada/alerts")["items"]] == ["large_refund"]


def test_an_alert_of_a_rule_that_this_release_does_not_know_is_left_out() -> None:
    store = MemoryViewStore()
    store.alert_rows["ada"] = [AlertRow(3, "new_rule", '{"rule":"new_rule"}')]
    assert get(store, "/v1/customers/ada/alerts")["items"] == []


def test_everybodys_alerts_are_the_last_published_first_and_each_once_on_a_page() -> None:
    topics = MemoryTopics(published=[*events("ada", "ben", "cleo"), *events("ada", "ben", "cleo")[2:]])

    found = get(MemoryViewStore(), "/v1/alerts?day=2024-06-30", topics)

    assert [each["customer_id"] for each in found["items"]] == ["cleo", "ben", "ada"]
    assert len({each["id"] for each in found["items"]}) == 3
    assert str(topics.asked[0][0]) == "2024-06-30"  # type: ignore[index] # the day and the offsets


def test_r24_whatever_is_not_keyed_by_customer_is_checked_against_the_marker() -> None:
    store = MemoryViewStore()
    store.put_reset("ben", 500)
    topics = MemoryTopics(published=events("ada", "ben", "cleo"))

    assert [each["customer_id"] for each in get(store, "/v1/alerts", topics)["items"]] == ["cleo", "ada"]


def test_everybodys_alerts_go_on_from_page_to_page_on_their_own_day() -> None:
    topics = MemoryTopics(published=events(*"abcdefg"))

    ids: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = get(MemoryViewStore(), "/v1/alerts?limit=3" + (f"&cursor={cursor}" if cursor else ""), topics)
        ids += [each["customer_id"] for each in page["items"]]
        cursor = page["next_cursor"]
        if cursor:
            other = get(MemoryViewStore(), f"/v1/alerts?day=2024-06-30&cursor={cursor}", topics)
            assert (other["status"], other["field"]) == (422, "cursor")

    assert "".join(ids) == "gfedcba"


@pytest.mark.parametrize("kind", [LogUnavailable, LogError])
def test_kafka_away_is_a_503_that_says_so_and_a_customers_own_alerts_are_answered(kind: type[Exception]) -> None:
    """So is a topic that is not there."""
    store, topics = MemoryViewStore(), MemoryTopics(failure=kind("what is wrong"))
    store.put_alert("ada", 7, RISK)

    found = get(store, "/v1/alerts", topics)

    assert (found["status"], found["type"]) == (503, "urn:lambda360:problem:log-unavailable")
    assert found["detail"] == "what is wrong"
    assert len(get(store, "/v1/customers/ada/alerts", topics)["items"]) == 1


def test_a_day_that_is_none_is_refused() -> None:
    found = get(MemoryViewStore(), "/v1/alerts?day=today")
    assert (found["status"], found["field"]) == (422, "day")
