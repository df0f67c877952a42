"""R4, R5b: taking an entity back, by the rule for one fact, in the algebra and in the merge."""

import json

import msgspec
import pytest

from common.algebra.facts import Delta, Fact, Image, Outcome, decide, decode_delta, encode
from common.algebra.measures import contribution, value
from common.algebra.merge import merge
from common.algebra.payloads import Content, Order, Retracted, kind_of
from common.algebra.state import State
from common.algebra.view_row import ViewRow
from common.errors import RejectedRecord
from common.log.events import Event, parse
from common.log.normalizing import Rules
from common.log.partition import partition_of
from tests.support.builders import Message, erasure, marketing, order, profile, refund, retraction, ticket
from tests.support.deltas import changed

ORDER = Order(19_900 * 86_400_000_000, 1000, "completed")
SAID, TAKEN_BACK = Image(5, ORDER), Image(5, Retracted("order"))


def read(message: Message) -> Event:
    return parse(message.key, message.value, partition_of("ada", 4), 4, 10**15, Rules("USD"))


def test_a_retraction_of_the_same_version_outranks_what_it_takes_back_and_a_repeat_does_not_undo_it() -> None:
    outcome, fact = decide(Fact(3, None, SAID), TAKEN_BACK, 7)
    assert (outcome, fact) == (Outcome.CHANGED, Fact(7, SAID, TAKEN_BACK))
    assert fact is not None

    assert decide(fact, SAID, 8) == (Outcome.STALE, None)
    assert decide(fact, TAKEN_BACK, 8) == (Outcome.REPEATED, None)


def test_a_later_version_brings_an_entity_back_and_an_earlier_retraction_is_stale() -> None:
    again = Image(6, ORDER)

    assert decide(Fact(7, SAID, TAKEN_BACK), again, 9) == (Outcome.CHANGED, Fact(9, TAKEN_BACK, again))
    assert decide(Fact(9, None, again), TAKEN_BACK, 10) == (Outcome.STALE, None)


def test_a_retraction_of_an_entity_never_seen_is_a_fact_that_adds_nothing() -> None:
    assert decide(None, TAKEN_BACK, 0) == (Outcome.CHANGED, Fact(0, None, TAKEN_BACK))
    assert contribution(Retracted("order")) == State({})


def test_the_value_of_a_retraction_is_what_the_entity_had_added() -> None:
    assert value(changed("o1", SAID, TAKEN_BACK)) == -contribution(ORDER)
    assert value(changed("o1", TAKEN_BACK, SAID)) == contribution(ORDER)


def test_a_delta_names_its_kind_and_the_image_of_a_retraction_is_kind_and_version_alone() -> None:
    delta = changed("o1", SAID, TAKEN_BACK, 99)

    assert decode_delta(encode(delta)) == delta
    assert delta.kind == kind_of(TAKEN_BACK.payload) == "order"
    assert '"after":{"version":5,"payload":{"kind":"retracted","of":"order"}}' in encode(delta)


def test_a_cell_of_the_release_before_is_read_and_names_no_kind() -> None:
    text = (
        '{"entity_id":"o1","before":null,"after":{"version":5,"payload":'
        '{"kind":"order","order_date":1,"amount":2,"status":"completed"}},"appended_at":9}'
    )

    assert decode_delta(text) == Delta(
        entity_id="o1", before=None, after=Image(5, Order(1, 2, "completed")), appended_at=9
    )


class OlderImage(msgspec.Struct, frozen=True):
    """An image as a release knows it that has no retractions."""

    version: int
    payload: Content


class OlderDelta(msgspec.Struct, frozen=True):
    """A delta as such a release knows it; it ignores further fields."""

    entity_id: str
    before: OlderImage | None
    after: OlderImage | None
    appended_at: int


def test_r5b_an_older_release_cannot_decode_a_retraction_and_says_what_it_met() -> None:
    older = msgspec.json.Decoder(OlderDelta)

    assert older.decode(encode(changed("o1", None, SAID))).entity_id == "o1"
    for delta in (changed("o1", SAID, TAKEN_BACK), changed("o1", TAKEN_BACK, SAID)):
        with pytest.raises(msgspec.ValidationError, match="Invalid value 'retracted'"):
            older.decode(encode(delta))


def test_a_customer_whose_only_order_was_taken_back_is_known_and_has_nothing() -> None:
    merged = merge(ViewRow(contribution(ORDER)), [(7, changed("o1", SAID, TAKEN_BACK))], 5)

    assert (merged.state, merged.known) == (State({}), True)


@pytest.mark.parametrize("message", [order(), refund(), ticket(), marketing(), profile()])
def test_every_kind_is_taken_back_by_its_ids_and_updated_at(message: Message) -> None:
    whole, taken_back = read(message), read(retraction(message))

    assert whole.image is not None
    assert taken_back.image is not None
    assert (taken_back.kind, taken_back.entity_id) == (whole.kind, whole.entity_id)
    assert taken_back.image.payload == Retracted(whole.kind)
    assert read(retraction(message, total_amount="never read", priority=7, birth_date="x")) == taken_back


@pytest.mark.parametrize("message", [order(), refund(), ticket(), marketing(), profile()])
def test_false_equals_absent_and_anything_but_a_boolean_is_rejected(message: Message) -> None:
    assert read(retraction(message, retracted=True)).image is not None
    for stated in ("true", 1, None, "yes"):
        with pytest.raises(RejectedRecord, match=r"data\.retracted.*boolean"):
            read(spoiled(message, stated))
    assert read(spoiled(message, False)) == read(message)


def spoiled(message: Message, stated: object) -> Message:
    """The message with another value of `retracted`."""
    content = json.loads(message.value or b"")
    content["data"]["retracted"] = stated
    return Message(message.key, json.dumps(content).encode())


@pytest.mark.parametrize("message", [order(), refund(), ticket(), marketing(), profile()])
def test_a_retraction_without_a_version_is_rejected(message: Message) -> None:
    with pytest.raises(RejectedRecord, match=r"data\.updated_at.*required"):
        read(spoiled_version(message))


def spoiled_version(message: Message) -> Message:
    content = json.loads(retraction(message).value or b"")
    del content["data"]["updated_at"]
    return Message(message.key, json.dumps(content).encode())


def test_an_erasure_is_not_retracted() -> None:
    with pytest.raises(RejectedRecord, match="an erasure is not retracted"):
        read(spoiled(erasure(), True))


def test_a_refund_and_a_marketing_event_may_have_a_version_of_their_own() -> None:
    for message, at in ((refund(updated_at="2024-07-01"), 19_905), (marketing(updated_at="2024-07-01"), 19_905)):
        image = read(message).image

        assert image is not None
        assert image.version == at * 86_400_000_000
