"""R4, R9, R10: what a record makes of its entity's current fact."""

import pytest

from common.algebra.facts import Delta, Fact, Image, Outcome, decide, decode_delta, decode_fact, encode
from common.algebra.payloads import MarketingEvent, Order, Refund, SupportTicket, payload_columns
from tests.support.deltas import changed


def image(version: int, amount: int = 1) -> Image:
    return Image(version, Order(0, amount, "completed"))


CURRENT = Fact(offset=10, before=image(1), after=image(2))


def test_the_first_fact_of_an_entity_has_nothing_before_it() -> None:
    assert decide(None, image(1), 5) == (Outcome.CHANGED, Fact(5, None, image(1)))


@pytest.mark.parametrize(
    ("new", "offset", "outcome"),
    [
        (image(3), 11, Outcome.CHANGED),
        (image(3, amount=9), 11, Outcome.CHANGED),
        (image(2, amount=9), 11, Outcome.CHANGED),
        (image(2), 11, Outcome.REPEATED),
        (image(1), 11, Outcome.STALE),
        (image(1, amount=9), 11, Outcome.STALE),
        (image(3), 9, Outcome.SKIPPED),
        (image(2), 10, Outcome.REWRITTEN),
    ],
)
def test_the_greatest_version_is_current_and_of_equal_ones_the_later(new: Image, offset: int, outcome: Outcome) -> None:
    found, fact = decide(CURRENT, new, offset)
    assert found is outcome
    assert (fact is not None) == (outcome in {Outcome.CHANGED, Outcome.REWRITTEN})
    if outcome is Outcome.CHANGED:
        assert fact == Fact(offset, CURRENT.after, new)


def test_a_record_met_at_its_own_offset_rewrites_the_identical_cell() -> None:
    """R10: a write that timed out may have reached one replica only, so it is made again, the same."""
    _, first = decide(CURRENT, image(3), 11)
    outcome, again = decide(first, image(3), 11)
    assert outcome is Outcome.REWRITTEN
    assert first is not None
    assert again is not None
    assert encode(again) == encode(first)


def test_a_change_of_value_zero_is_a_change() -> None:
    """R9: else a later delta's before would not be what the sum holds."""
    moved = Image(3, Order(0, 1, "shipped"))
    assert decide(CURRENT, moved, 11)[0] is Outcome.CHANGED


@pytest.mark.parametrize(
    "payload",
    [
        Order(1, 2, "x"),
        Refund("o", 1, 2),
        SupportTicket("c", "high", 1, None, None),
        SupportTicket("c", "low", 1, 2, 3),
        MarketingEvent("email_open", 1, "ca☃m"),
    ],
)
def test_cells_are_read_back_as_written(payload: Order | Refund | SupportTicket | MarketingEvent) -> None:
    fact = Fact(7, None, Image(1, payload))
    delta = changed("e", Image(0, payload), Image(1, payload), 99)
    assert decode_fact(encode(fact)) == fact
    assert decode_delta(encode(delta)) == delta
    assert not delta.is_reset


def test_a_reset_is_a_delta_without_an_after() -> None:
    assert decode_delta(encode(Delta.reset(5))).is_reset


def test_a_payload_fields_name_has_one_type_in_every_kind() -> None:
    assert payload_columns() == {
        "order_date": int, "amount": int, "status": str, "order_id": str, "refunded_at": int, "category": str,
        "priority": str, "created_date": int, "resolved_date": int, "resolution_seconds": int, "event_type": str,
        "event_date": int, "campaign_id": str, "signed_up_date": int, "birth_date": int, "country": str, "segment": str,
    }  # fmt: skip
