"""R14: a copy says what is stored, names its position, and is the same whenever it is made."""

import json

from common.algebra.alerts import LargeRefund
from common.algebra.facts import Delta, Image
from common.algebra.payloads import Order, Refund
from common.log.copies import Copy, alert_event, delta_event
from common.log.copy_events import decode_alert_event, decode_delta_event
from common.log.position import Position
from tests.support.deltas import changed

DAY = 86_400_000_000
BEFORE = Image(5, Order(3 * DAY + 7, 1000, "completed"))
AFTER = Image(6, Order(4 * DAY, 1250, "completed"))


def test_a_delta_is_a_cloud_event_with_its_place_its_images_and_its_values() -> None:
    copy = Copy(Position(2, 17), "ada", changed("o1", BEFORE, AFTER, 1_719_800_000_123_000))
    found = json.loads(delta_event(copy, "v1"))
    assert {name: found[name] for name in ("specversion", "id", "source", "type", "subject", "time")} == {
        "specversion": "1.0",
        "id": "2:17",
        "source": "lambda360/speed",
        "type": "customer.delta",
        "subject": "ada",
        "time": "2024-07-01T02:13:20.123000+00:00",
    }
    data = found["data"]
    assert (data["partition"], data["offset"], data["kind"], data["entity_id"]) == (2, 17, "order", "o1")
    assert (data["before"]["payload"]["amount"], data["after"]["payload"]["amount"]) == (1000, 1250)
    assert [(each["day"], each["measure"], each["amount"]) for each in data["values"]] == [
        ("1970-01-04", "order_count", -1),
        ("1970-01-04", "revenue", -1000),
        ("1970-01-05", "order_count", 1),
        ("1970-01-05", "revenue", 1250),
    ]
    assert data["logic_version"] == "v1"


def test_a_delta_is_read_back_as_it_was_published_and_always_the_same() -> None:
    copy = Copy(Position(2, 17), "ada", changed("o1", None, AFTER, 5))
    event = decode_delta_event(delta_event(copy, "v1"))
    assert (event.id, event.data.before, event.data.after) == ("2:17", None, AFTER)
    assert delta_event(copy, "v1") == delta_event(copy, "v1")


def test_an_erasure_is_published_as_a_reset_without_images_or_values() -> None:
    event = decode_delta_event(delta_event(Copy(Position(0, 9), "ada", Delta.reset(5)), "v1"))
    assert (event.type, event.data.after, event.data.values, event.data.kind) == ("customer.reset", None, (), "")


def test_an_alerts_id_is_its_records_place_and_its_rule_and_its_time_the_events_own() -> None:
    alert = LargeRefund(4 * DAY, "r1", "o1", 70_000, 50_000)
    delta = changed("r1", None, Image(1, Refund("o1", 4 * DAY, 70_000)), 5)
    event = decode_alert_event(alert_event(Copy(Position(1, 3), "ada", delta, (alert,)), alert))
    assert (event.id, event.subject, event.time) == ("1:3:large_refund", "ada", "1970-01-05T00:00:00+00:00")
    assert event.data.alert == alert
