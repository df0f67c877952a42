"""R5, R7, R9: the measures' table, its plain Python interpreter, and the value of a delta."""

import msgspec
import pytest

from common.algebra.dates import MICROS_PER_DAY
from common.algebra.facts import Image
from common.algebra.measures import MEASURES, contribution, value
from common.algebra.payloads import PAYLOADS, MarketingEvent, Order, Payload, Refund, SupportTicket
from common.algebra.state import State
from tests.support.deltas import changed

DAY_9 = 9 * MICROS_PER_DAY + 5


def named(state: State) -> dict[int, dict[str, int]]:
    names = [measure.name for measure in MEASURES]
    return {day: {name: n for name, n in zip(names, values, strict=True) if n} for day, values in state.days.items()}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (Order(DAY_9, 250, "pending"), {9: {"order_count": 1, "revenue": 250}}),
        (Order(DAY_9, 250, "returned"), {9: {"order_count": 1, "revenue": 250}}),
        (Order(DAY_9, 0, "completed"), {9: {"order_count": 1}}),
        (Order(DAY_9, 250, "cancelled"), {}),
        (Refund("o", DAY_9, 70), {9: {"refund_count": 1, "refunded": 70}}),
        (SupportTicket("c", "normal", DAY_9, None, None), {9: {"tickets": 1}}),
        (SupportTicket("c", "urgent", DAY_9, None, None), {9: {"tickets": 1, "high_priority_tickets": 1}}),
        (
            SupportTicket("c", "high", DAY_9, DAY_9 + MICROS_PER_DAY, 86_400),
            {9: {"tickets": 1, "high_priority_tickets": 1}, 10: {"tickets_resolved": 1, "resolution_seconds": 86_400}},
        ),
        (SupportTicket("c", "low", DAY_9, DAY_9, 0), {9: {"tickets": 1, "tickets_resolved": 1}}),
        (MarketingEvent("email_open", DAY_9, "c"), {9: {"email_opens": 1}}),
        (MarketingEvent("email_click", DAY_9, "c"), {9: {"email_clicks": 1}}),
        (MarketingEvent("campaign_view", DAY_9, "c"), {9: {"campaign_views": 1}}),
    ],
)
def test_a_current_fact_adds_this_to_these_days(payload: Payload, expected: dict[int, dict[str, int]]) -> None:
    assert named(contribution(payload)) == expected


def test_a_deltas_value_is_the_contribution_after_less_the_one_before() -> None:
    paid, moved = Image(1, Order(DAY_9, 250, "completed")), Image(2, Order(2 * MICROS_PER_DAY, 200, "completed"))
    cancelled = Image(3, Order(DAY_9, 250, "cancelled"))
    assert value(changed("o", None, paid, 0)) == contribution(paid.payload)
    assert value(changed("o", paid, cancelled, 0)) == -contribution(paid.payload)
    assert named(value(changed("o", paid, moved, 0))) == {
        9: {"order_count": -1, "revenue": -250},
        2: {"order_count": 1, "revenue": 200},
    }
    assert not value(changed("o", paid, Image(2, Order(DAY_9, 250, "shipped")), 0))


def test_the_table_names_fields_that_are_there_and_every_measure_once() -> None:
    assert len({measure.name for measure in MEASURES}) == len(MEASURES)
    for measure in MEASURES:
        fields = {field.name for field in msgspec.structs.fields(PAYLOADS[measure.kind])}
        named_fields = {measure.day, measure.value, measure.where.field if measure.where else None}
        assert named_fields - {None} <= fields
