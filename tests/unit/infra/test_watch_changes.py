"""How `lambda360 watch` shows profiles, retractions and origins (R5a, R5b, R9)."""

import json
from contextlib import closing
from typing import Any

from common.algebra.dates import MICROS_PER_DAY, birth_micros
from common.algebra.facts import Delta, Image, Origin
from common.algebra.payloads import Order, Payload, Retracted
from common.algebra.profile import CustomerProfile
from common.algebra.state import State
from infra.operate.watch.render import as_json, lines
from serving_layer.answer.readable import changes
from serving_layer.live.effects import Effect, Views
from tests.support.copy_events import event
from tests.support.deltas import changed
from tests.support.serving_fakes import NOW, MemoryViewStore, pointing_at, published

DAY = 19_900
"""2024-06-26; the views' day is 2024-06-30."""
ORDER = Order(DAY * MICROS_PER_DAY, 1000, "completed")
GONE = Retracted("order")
FILE = Origin("file:///data/k%C3%BCste/orders.csv", 12)


def born(day: str, segment: str | None = None) -> CustomerProfile:
    """A customer who was born on that day, and signed up on 2024-06-26."""
    return CustomerProfile(DAY * MICROS_PER_DAY, birth_micros(day), "GB", segment)


def change(before: Payload | None, after: Payload, origin: Origin | None = FILE, entity_id: str = "o1") -> Delta:
    return changed(entity_id, None if before is None else Image(1, before), Image(2, after), NOW, origin)


def text_of(delta: Delta, effect: Effect | None = None) -> list[str]:
    return [line.plain for line in lines(event(delta), effect)]


def body_of(delta: Delta) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(as_json(event(delta), None))
    return body


def effect_of(store: MemoryViewStore, delta: Delta) -> dict[str, Any]:
    """The metrics that the stored delta moved."""
    store.put_delta("ada", 5, delta)
    with closing(Views(lambda _: store, clock=lambda: NOW)) as views:
        (effect,) = views.effects([event(delta)])
    assert effect.metrics is not None
    return dict(effect.metrics)


def test_a_change_says_which_file_and_row_it_came_from() -> None:
    head, origin, *_ = text_of(change(None, ORDER))

    assert "ada  order o1 new  at " in head
    assert origin == "    from file:///data/k%C3%BCste/orders.csv row 12"


def test_a_producer_without_rows_is_named_and_an_unknown_origin_is_not() -> None:
    assert text_of(change(None, ORDER, Origin("shop/checkout")))[1] == "    from shop/checkout"
    assert not any("from" in line for line in text_of(change(None, ORDER, None)))


def test_an_erasure_says_where_it_came_from() -> None:
    head, origin, *_ = text_of(Delta.reset(NOW, Origin("crm/erasures", 3)))

    assert "ada  erased  at " in head
    assert origin == "    from crm/erasures row 3"


def test_a_source_cannot_write_to_the_terminal() -> None:
    """A source is any text: an escape sequence in it is shown as it is written."""
    assert text_of(change(None, ORDER, Origin("a\x1b[31m\nb\x9b")))[1] == r"    from a\x1b[31m\nb\x9b"


def test_the_json_of_a_change_has_its_origin_or_null() -> None:
    assert body_of(change(None, ORDER))["origin"] == {"source": FILE.source, "row": 12}
    assert body_of(change(None, ORDER, Origin("shop")))["origin"] == {"source": "shop", "row": None}
    assert body_of(change(None, ORDER, None))["origin"] is None


def test_r5b_a_retraction_reads_as_taken_back_with_what_is_gone() -> None:
    head, _, *rest = text_of(change(ORDER, GONE))

    assert "ada  order o1 taken back  at " in head
    assert rest[:3] == ["    order_date: 2024-06-26 → null", "    amount: 10.00 → null", "    status: completed → null"]
    assert "    revenue -10.00 on 2024-06-26" in rest


def test_r5b_an_entity_that_was_never_seen_is_taken_back_and_changes_nothing() -> None:
    assert changes(None, Image(2, GONE)) == {}
    assert "ada  order o1 taken back  at " in text_of(change(None, GONE))[0]


def test_r5b_a_retraction_that_is_sent_again_with_a_later_version_changes_nothing() -> None:
    assert "order o1 taken back" in text_of(change(GONE, GONE))[0]
    assert changes(Image(1, GONE), Image(2, GONE)) == {}


def test_r5b_a_later_version_reads_as_brought_back_with_every_field() -> None:
    head, _, *rest = text_of(change(GONE, ORDER))

    assert "ada  order o1 brought back  at " in head
    assert rest[:2] == ["    order_date: 2024-06-26", "    amount: 10.00"]
    assert changes(Image(1, GONE), Image(2, ORDER)) == changes(None, Image(2, ORDER))


def test_the_json_of_a_change_says_whether_the_entity_is_taken_back() -> None:
    back, again = body_of(change(ORDER, GONE)), body_of(change(GONE, ORDER))

    assert (back["kind"], back["retracted"], back["changes"]["amount"]) == ("order", True, ["10.00", None])
    assert (again["kind"], again["retracted"], again["changes"]["amount"]) == ("order", False, [None, "10.00"])
    assert body_of(Delta.reset(NOW))["retracted"] is False


def test_r5a_a_profile_changes_field_by_field_and_a_birth_date_is_a_day() -> None:
    delta = change(born("1951-02-28", "retail"), born("1951-03-01", "trade"), entity_id="ada")

    head, _, *rest = text_of(delta)

    assert "ada  customer_profile changed  at " in head
    assert rest == ["    birth_date: 1951-02-28 → 1951-03-01", "    segment: retail → trade"]


def test_r5a_a_new_profile_shows_every_field_and_the_metrics_that_it_gives() -> None:
    delta = change(None, born("1951-02-28"), entity_id="ada")

    moved = effect_of(MemoryViewStore(), delta)

    assert changes(None, delta.after)["birth_date"] == (None, "1951-02-28")
    assert changes(None, delta.after)["segment"] == (None, None)
    assert moved == {"age_years": (None, 73), "tenure_days": (None, 4)}


def test_r5a_a_corrected_profile_moves_the_age_from_that_of_the_batchs_row() -> None:
    store = MemoryViewStore(pointer=pointing_at(published(cut=4)))
    before, after = born("1951-02-28"), born("1952-02-28")
    store.put_state("ada", State({}), profile=Image(1, before))

    assert effect_of(store, change(before, after, entity_id="ada")) == {"age_years": (73, 72)}


def test_r5b_a_profile_taken_back_takes_its_metrics_with_it() -> None:
    store, profile = MemoryViewStore(pointer=pointing_at(published(cut=4))), born("1951-02-28")
    store.put_state("ada", State({}), profile=Image(1, profile))
    delta = change(profile, Retracted("customer_profile"), entity_id="ada")

    assert effect_of(store, delta) == {"age_years": (73, None), "tenure_days": (4, None)}
    assert "ada  customer_profile taken back  at " in text_of(delta)[0]
